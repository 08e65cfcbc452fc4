/** Announcements: contents and times (RFC 4861 7.2.6, 7.2.8, RFC 9131 6.1.2). */
import t from 'tap'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import type { Settings } from '../../../src/config/config.ts'
import type { Instant, Link } from '../../../src/engine-types.ts'
import { AnnouncerClock, SOLICIT, YES } from '../kit/announcer-clock.ts'
import { ETH0, ETH1, ip, linkOf, nth, own } from '../kit/neighbor.ts'

const VM = ip('2001:db8::2')
const [VM3, VM4] = [ip('2001:db8::3'), ip('2001:db8::4')]

t.test('a new owner: three NAs to the routers, the first at once, none overriding', async (t) => {
  const clock = new AnnouncerClock()
  clock.wake()
  clock.owner(VM)
  clock.wake()
  const line = 'advertise eth0 2001:db8::2 R from fe80::ff:2 to ff02::2 33:33:00:00:00:02'
  t.same(clock.take(), [`1000 ${line}`])
  t.equal(clock.announcer.deadline, 2000 as Instant)
  clock.wait(999)
  t.same(clock.take(), [], 'RetransTimer')
  clock.wait(60_000)
  t.same(clock.take(), [`2000 ${line}`, `3000 ${line}`])
  t.equal(clock.announcer.deadline, undefined)
  t.equal(clock.announcer.size, 0)
})

t.test('a change: three to all nodes, overriding', async (t) => {
  const clock = new AnnouncerClock()
  clock.announcer.announce(VM, { ...YES, router: false }, [ETH0], true, clock.now)
  clock.wait(60_000)
  const line = 'advertise eth0 2001:db8::2 O from fe80::ff:2 to ff02::1 33:33:00:00:00:01'
  t.same(clock.take(), [`1000 ${line}`, `2000 ${line}`, `3000 ${line}`])
})

t.test('override, router and source as configured', async (t) => {
  const flags = (event: 'owner' | 'changed', settings: Partial<Settings>): string => {
    const clock = new AnnouncerClock([linkOf(ETH0, { addresses: [own('fe80::1'), own('2001:db8::ff')] })])
    clock.announcer.announce(VM, { ...YES, ...settings }, [ETH0], event === 'changed', clock.now)
    clock.wait(0)
    return clock.sent[0].line.split(' ').slice(3, 6).join(' ').replace('from ', '')
  }
  t.equal(flags('owner', { override: 'always' }), 'RO fe80::1')
  t.equal(flags('owner', { override: 'never', router: false }), '- fe80::1')
  t.equal(flags('changed', { override: 'always' }), 'RO fe80::1')
  t.equal(flags('changed', { override: 'never' }), 'R fe80::1')
  t.equal(flags('owner', { source: 'global' }), 'R 2001:db8::ff')
  t.equal(flags('owner', { source: 'target' }), 'R 2001:db8::2')
})

t.test('announce solicit: each router of the link is solicited from the target, twice', async (t) => {
  for (const event of ['owner', 'changed'] as const) {
    const clock = new AnnouncerClock([linkOf(ETH0), linkOf(ETH1)])
    clock.announcer.router(ETH0, ip('fe80::1234:5678'), true)
    clock.announcer.router(ETH0, ip('2001:db8::1'), true)
    clock.announcer.router(ETH0, ip('2001:db8::1'), true)
    clock.announcer.router(ETH0, ip('fe80::9'), true)
    clock.announcer.router(ETH0, ip('fe80::9'), false)
    clock.announcer.router(ETH1, ip('fe80::8'), true)
    clock.announcer.announce(VM, SOLICIT, [ETH0], event === 'changed', clock.now)
    clock.wait(60_000)
    const lines = ['confirm eth0 fe80::1234:5678 at ff02::1:ff34:5678 from 2001:db8::2 to 33:33:ff:34:56:78',
      'confirm eth0 2001:db8::1 at ff02::1:ff00:1 from 2001:db8::2 to 33:33:ff:00:00:01']
    t.same(clock.take(), [...lines.map((line) => `1000 ${line}`), ...lines.map((line) => `2000 ${line}`)], event)
    t.equal(clock.announcer.size, 0)
  }
})

t.test('announce solicit waits until a router is known, and solicits at most sixteen', async (t) => {
  const clock = new AnnouncerClock()
  clock.owner(VM, SOLICIT)
  clock.wait(500)
  for (let n = 1; n <= 20; n++) clock.announcer.router(ETH0, nth(n), true)
  clock.wait(500)
  t.equal(clock.take().length, 16)
  clock.announcer.router(ETH0, ip('fe80::1'), true)
  clock.wait(1000)
  t.notMatch(clock.take().join('\n'), 'fe80::1', 'the routers that are known stay')
})

t.test('announce no: nothing, and the announcements in the queue are dropped', async (t) => {
  const clock = new AnnouncerClock()
  clock.owner(VM, DEFAULTS)
  clock.announcer.announce(VM, DEFAULTS, [ETH0], true, clock.now)
  clock.wait(5000)
  t.same(clock.take(), [])
  clock.owner(VM)
  clock.wait(0)
  clock.owner(VM, DEFAULTS)
  t.equal(clock.announcer.size, 0)
})

t.test('a newer announcement of a target replaces the rest of the older, and withdraw drops it', async (t) => {
  const clock = new AnnouncerClock([linkOf(ETH0), linkOf(ETH1)])
  clock.owner(VM, YES, [ETH0, ETH1])
  clock.owner(VM3)
  clock.wait(500)
  t.same(clock.take(4).sort(), ['1000 advertise eth0 2001:db8::2', '1000 advertise eth0 2001:db8::3', '1000 advertise eth1 2001:db8::2'])
  clock.announcer.announce(VM, YES, [ETH0], true, clock.now)
  clock.wait(0)
  t.same(clock.take(5), ['1500 advertise eth0 2001:db8::2 RO'])
  clock.announcer.withdraw(VM3)
  clock.announcer.withdraw(ip('2001:db8::99'))
  t.equal(clock.announcer.size, 1)
  clock.wait(60_000)
  t.same(clock.take(5), ['2500 advertise eth0 2001:db8::2 RO', '3500 advertise eth0 2001:db8::2 RO'])
})

t.test('nothing is sent on a link that is gone, and its routers are forgotten', async (t) => {
  const clock = new AnnouncerClock([linkOf(ETH0), linkOf(ETH1)])
  clock.announcer.router(ETH0, ip('fe80::1'), true)
  clock.owner(VM, YES, [ETH0, ETH1])
  clock.owner(VM3)
  clock.announcer.gone(ETH0)
  t.equal(clock.announcer.size, 1)
  clock.announcer.withdraw(VM3)
  clock.owner(VM4, SOLICIT)
  clock.wait(500)
  t.same(clock.take(4), ['1000 advertise eth1 2001:db8::2'])
  clock.announcer.withdraw(VM)
  t.equal(clock.announcer.size, 1, 'one waits for a router')
})

t.test('a link that is not ready: ten tries, one second apart', async (t) => {
  const unready: Record<string, Link[]> = { down: [linkOf(ETH0, { up: false })],
    'no usable source': [linkOf(ETH0, { addresses: [own('fe80::1', 64, true)] })], absent: [] }
  for (const [name, links] of Object.entries(unready)) {
    const clock = new AnnouncerClock(links)
    clock.owner(VM)
    clock.wait(9_999)
    t.same(clock.take(), [], name)
    clock.links.set(linkOf(ETH0))
    clock.wait(2)
    t.same(clock.take(1), ['11000'], `${name}: then ready`)
    clock.wait(60_000)
    t.same(clock.take(1), ['12000', '13000'], `${name}: all three`)

    const never = new AnnouncerClock(links)
    never.owner(VM)
    never.wait(9_999)
    t.equal(never.announcer.size, 1)
    never.wait(2)
    t.equal(never.announcer.size, 0, `${name}: given up`)
  }
})

t.test('an address that a reload excludes is announced no more, although it is still in the queue', async (t) => {
  for (const settings of [YES, SOLICIT]) {
    const clock = new AnnouncerClock([linkOf(ETH0)], 7, 'subnet 2001:db8::/64 { upstream eth0\n downstream eth1\n exclude 2001:db8::3 }')
    clock.announcer.router(ETH0, ip('fe80::9'), true)
    for (const target of [VM, VM3]) clock.announcer.announce(target, settings, [ETH0], true, clock.now)
    clock.wait(60_000)
    t.same([...new Set(clock.sent.map(({ target }) => target))], [VM.toString()], settings.announce)
    t.equal(clock.announcer.size, 0)
  }
})
