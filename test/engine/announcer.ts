/** Announcements: what they say (checklist F1 to F4, F7), when (F2, F5), and when not. */
import t from 'tap'
import fc from 'fast-check'
import { Address, formatMac } from '../../src/address.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import type { Settings } from '../../src/config/config.ts'
import { Announcer, QUEUE_LIMIT } from '../../src/engine/announcer.ts'
import { Links } from '../../src/engine/links.ts'
import type { Advertisement, Event, Instant, Link, Sink, UnicastProbe } from '../../src/engine/types.ts'
import { ip } from './kit/frames.ts'
import { chance, ETH0, ETH1, linkOf, own } from './kit/stage.ts'

const YES: Settings = { ...DEFAULTS, announce: 'yes' }
const SOLICIT: Settings = { ...DEFAULTS, announce: 'solicit' }
const VM = ip('2001:db8::2')
const VM2 = ip('2001:db8:ffff::2')

/** Writes down each message with its time, which the test winds. */
class Clock implements Pick<Sink, 'advertise' | 'confirm' | 'event'> {
  now = 1000 as Instant
  sent: { readonly at: number; readonly target: string; readonly line: string }[] = []
  readonly events: string[] = []
  readonly links = new Links(chance(1))
  readonly announcer: Announcer

  constructor(links: readonly Link[] = [linkOf(ETH0)], seed = 7) {
    for (const link of links) this.links.set(link)
    this.announcer = new Announcer(this.links, this, chance(seed))
  }

  advertise({ ifindex, source, d0, d1, d2, d3, t0, t1, t2, t3, to, router, solicited, override }: Advertisement): void {
    const target = new Address(t0, t1, t2, t3).toString()
    const flags = (router ? 'R' : '') + (solicited ? 'S' : '') + (override ? 'O' : '')
    this.sent.push({ at: this.now, target,
      line: `${ifindex} na ${target} ${flags || '-'} ${source} > ${new Address(d0, d1, d2, d3)} ${formatMac(to)}` })
  }

  event({ kind }: Event): void { this.events.push(kind) }

  confirm({ ifindex, source, destination, target, to }: UnicastProbe): void {
    const line = `${ifindex} ns ${target} ${source} > ${destination} ${formatMac(to)}`
    this.sent.push({ at: this.now, target: `${source}`, line })
  }

  /** Wakes the announcer whenever it wants to be, for `ms` from now. */
  wait(ms: number): void {
    const end = this.now + ms as Instant
    for (let at = this.announcer.deadline; at !== undefined && at <= end; at = this.announcer.deadline) {
      // A deadline that stays in the past would keep the daemon busy for nothing.
      if (at < this.now) throw new Error(`deadline ${at} at ${this.now}`)
      this.now = at
      this.announcer.wake(this.now)
    }
    this.now = end
  }

  /** What was sent since the last call; of each line so many words. */
  take(words?: number): string[] {
    return this.sent.splice(0).map(({ at, line }) => `${at} ${line}`.split(' ').slice(0, words).join(' '))
  }
}

/** The most messages in any `window` ms, both ends included. */
function most(times: readonly number[], window: number): number {
  let from = 0
  return times.reduce((max, at, i) => {
    while (times[from] < at - window) from++
    return Math.max(max, i - from + 1)
  }, 0)
}

function hosts(count: number): Address[] {
  return Array.from({ length: count }, (_, i) => new Address(0x20010db8, 0, 0, i + 1))
}

t.test('a new owner: three NAs to the routers, the first at once, none overriding (F2, F3, F4, F7)', async (t) => {
  const clock = new Clock()
  clock.announcer.wake(clock.now)
  clock.announcer.owner(VM, YES, [ETH0], clock.now)
  clock.announcer.wake(clock.now)
  const line = '2 na 2001:db8::2 R fe80::ff:2 > ff02::2 33:33:00:00:00:02'
  t.same(clock.take(), [`1000 ${line}`])
  t.equal(clock.announcer.deadline, 2000 as Instant)
  clock.wait(999)
  t.same(clock.take(), [], 'RetransTimer')
  clock.wait(60_000)
  t.same(clock.take(), [`2000 ${line}`, `3000 ${line}`])
  t.equal(clock.announcer.deadline, undefined)
  t.equal(clock.announcer.size, 0)
})

t.test('a change: three to all nodes, overriding (F1, F4, N1)', async (t) => {
  const clock = new Clock()
  clock.announcer.changed(VM, { ...YES, router: false }, [ETH0], clock.now)
  clock.wait(60_000)
  const line = '2 na 2001:db8::2 O fe80::ff:2 > ff02::1 33:33:00:00:00:01'
  t.same(clock.take(), [`1000 ${line}`, `2000 ${line}`, `3000 ${line}`])
})

t.test('override, router and source as configured', async (t) => {
  const flags = (event: 'owner' | 'changed', settings: Partial<Settings>): string => {
    const clock = new Clock([linkOf(ETH0, { addresses: [own('fe80::1'), own('2001:db8::ff')] })])
    clock.announcer[event](VM, { ...YES, ...settings }, [ETH0], clock.now)
    clock.wait(0)
    return clock.sent[0].line.split(' ').slice(3, 5).join(' ')
  }
  t.equal(flags('owner', { override: 'always' }), 'RO fe80::1')
  t.equal(flags('owner', { override: 'never', router: false }), '- fe80::1')
  t.equal(flags('changed', { override: 'always' }), 'RO fe80::1')
  t.equal(flags('changed', { override: 'never' }), 'R fe80::1')
  t.equal(flags('owner', { source: 'global' }), 'R 2001:db8::ff')
  t.equal(flags('owner', { source: 'target' }), 'R 2001:db8::2')
})

t.test('announce solicit: each router of the link is asked from the target, twice', async (t) => {
  for (const event of ['owner', 'changed'] as const) {
    const clock = new Clock([linkOf(ETH0), linkOf(ETH1)])
    clock.announcer.router(ETH0, ip('fe80::1234:5678'), true)
    clock.announcer.router(ETH0, ip('2001:db8::1'), true)
    clock.announcer.router(ETH0, ip('2001:db8::1'), true)
    clock.announcer.router(ETH0, ip('fe80::9'), true)
    clock.announcer.router(ETH0, ip('fe80::9'), false)
    clock.announcer.router(ETH1, ip('fe80::8'), true)
    clock.announcer[event](VM, SOLICIT, [ETH0], clock.now)
    clock.wait(60_000)
    const lines = ['2 ns fe80::1234:5678 2001:db8::2 > ff02::1:ff34:5678 33:33:ff:34:56:78',
      '2 ns 2001:db8::1 2001:db8::2 > ff02::1:ff00:1 33:33:ff:00:00:01']
    t.same(clock.take(), [...lines.map((line) => `1000 ${line}`), ...lines.map((line) => `2000 ${line}`)], event)
    t.equal(clock.announcer.size, 0)
  }
})

t.test('announce solicit waits for a router to be known, and tells no more than sixteen', async (t) => {
  const clock = new Clock()
  clock.announcer.owner(VM, SOLICIT, [ETH0], clock.now)
  clock.wait(500)
  for (const router of hosts(20)) clock.announcer.router(ETH0, router, true)
  clock.wait(500)
  t.equal(clock.take().length, 16)
  clock.announcer.router(ETH0, ip('fe80::1'), true)
  clock.wait(1000)
  t.notMatch(clock.take().join('\n'), 'fe80::1', 'those that are known stay')
})

t.test('announce no: nothing, and nothing more of what was under way', async (t) => {
  const clock = new Clock()
  clock.announcer.owner(VM, DEFAULTS, [ETH0], clock.now)
  clock.announcer.changed(VM, DEFAULTS, [ETH0], clock.now)
  clock.wait(5000)
  t.same(clock.take(), [])
  clock.announcer.owner(VM, YES, [ETH0], clock.now)
  clock.wait(0)
  clock.announcer.owner(VM, DEFAULTS, [ETH0], clock.now)
  t.equal(clock.announcer.size, 0)
})

t.test('one event at a time for a target: a newer one replaces the rest, withdraw drops it', async (t) => {
  const clock = new Clock([linkOf(ETH0), linkOf(ETH1)])
  clock.announcer.owner(VM, YES, [ETH0, ETH1], clock.now)
  clock.announcer.owner(ip('2001:db8::3'), YES, [ETH0], clock.now)
  clock.wait(500)
  t.same(clock.take(4).sort(), ['1000 2 na 2001:db8::2', '1000 2 na 2001:db8::3', '1000 3 na 2001:db8::2'])
  clock.announcer.changed(VM, YES, [ETH0], clock.now)
  clock.wait(0)
  t.same(clock.take(5), ['1500 2 na 2001:db8::2 RO'])
  clock.announcer.withdraw(ip('2001:db8::3'))
  clock.announcer.withdraw(ip('2001:db8::99'))
  t.equal(clock.announcer.size, 1)
  clock.wait(60_000)
  t.same(clock.take(5), ['2500 2 na 2001:db8::2 RO', '3500 2 na 2001:db8::2 RO'])
})

t.test('a link that is gone is not spoken on, and its routers are forgotten', async (t) => {
  const clock = new Clock([linkOf(ETH0), linkOf(ETH1)])
  clock.announcer.router(ETH0, ip('fe80::1'), true)
  clock.announcer.owner(VM, YES, [ETH0, ETH1], clock.now)
  clock.announcer.owner(ip('2001:db8::3'), YES, [ETH0], clock.now)
  clock.announcer.gone(ETH0)
  t.equal(clock.announcer.size, 1)
  clock.announcer.withdraw(ip('2001:db8::3'))
  clock.announcer.owner(ip('2001:db8::4'), SOLICIT, [ETH0], clock.now)
  clock.wait(500)
  t.same(clock.take(4), ['1000 3 na 2001:db8::2'])
  clock.announcer.withdraw(VM)
  t.equal(clock.announcer.size, 1, 'the one that waits for a router')
})

t.test('a link that is not ready: once a second, ten times, then never', async (t) => {
  const unready: Record<string, Link[]> = {
    down: [linkOf(ETH0, { up: false })],
    'no usable source': [linkOf(ETH0, { addresses: [own('fe80::1', 64, true)] })],
    absent: [],
  }
  for (const [name, links] of Object.entries(unready)) {
    const clock = new Clock(links)
    clock.announcer.owner(VM, YES, [ETH0], clock.now)
    clock.wait(9_999)
    t.same(clock.take(), [], name)
    clock.links.set(linkOf(ETH0))
    clock.wait(2)
    t.same(clock.take(1), ['11000'], `${name}: then ready`)
    clock.wait(60_000)
    t.same(clock.take(1), ['12000', '13000'], `${name}: all three`)

    const never = new Clock(links)
    never.announcer.owner(VM, YES, [ETH0], never.now)
    never.wait(9_999)
    t.equal(never.announcer.size, 1)
    never.wait(2)
    t.equal(never.announcer.size, 0, `${name}: given up`)
  }
})

t.test('500 owners at once: under half a second, in no burst, each once before any twice (F5)', async (t) => {
  const pauses = new Set<number>()
  let slowest = 0
  for (let seed = 1; seed <= 50; seed++) {
    const clock = new Clock([linkOf(ETH0)], seed)
    for (const target of hosts(500)) clock.announcer.owner(target, YES, [ETH0], clock.now)
    clock.wait(60_000)
    const times = clock.sent.map(({ at }) => at)
    slowest = Math.max(slowest, times[499] - 1000)
    const firstRound = [...new Set(times.slice(0, 500))]
    firstRound.slice(1).forEach((at, i) => pauses.add(at - firstRound[i]))
    const isRight = times.length === 1500 && times[0] === 1000 && times[499] < 1500
      && most(times, 10) <= 64 && most(times, 0) <= 32
      && new Set(clock.sent.slice(0, 500).map(({ target }) => target)).size === 500
    if (!isRight) t.fail(`seed ${seed}`, { times, in10: most(times, 10), atOnce: most(times, 0) })
  }
  t.comment(`slowest first round: ${slowest} ms`)
  t.ok(slowest < 500)
  t.same([...pauses].sort((a, b) => a - b), [6, 7, 8, 9, 10, 11, 12, 13, 14], 'jitter')
})

t.test('more than a thousand a second, however often it is woken (F5)', async (t) => {
  const clock = new Clock()
  for (const target of hosts(10_000)) clock.announcer.owner(target, YES, [ETH0], clock.now)
  const end = clock.now + 4000
  for (; clock.now < end; clock.now = clock.now + 1 as Instant) clock.announcer.wake(clock.now)
  t.comment(`${clock.sent.length / 4} a second`)
  t.ok(clock.sent.length > 4000 && clock.sent.length < 4 * 5334)
  t.ok(most(clock.sent.map(({ at }) => at), 10) <= 64)
  t.equal(new Set(clock.sent.slice(0, 10_000).map(({ target }) => target)).size, 10_000, 'new owners before repeats')
})

t.test('solicitations to many routers count one by one', async (t) => {
  const clock = new Clock()
  for (const router of hosts(13)) clock.announcer.router(ETH0, router, true)
  for (const target of hosts(100)) clock.announcer.owner(target, SOLICIT, [ETH0], clock.now)
  clock.wait(60_000)
  const times = clock.sent.map(({ at }) => at)
  t.equal(times.length, 2 * 13 * 100)
  t.equal(most(times, 0), 26)
})

t.test('those that wait for their link are in nobody\'s way', async (t) => {
  const clock = new Clock([linkOf(ETH0), linkOf(ETH1, { up: false })])
  for (const target of hosts(5000)) clock.announcer.owner(target, YES, [ETH1], clock.now)
  clock.wait(1050)
  let looks = 0
  clock.links.get = function (ifindex) {
    looks++
    return Links.prototype.get.call(this, ifindex)
  }
  clock.announcer.owner(VM, YES, [ETH0], clock.now)
  clock.wait(14)
  t.same(clock.take().map((line) => line.split(' ')[3]), ['2001:db8::2'])
  t.ok(looks > 100 && looks <= 3 * 256, `${looks} looked at in 14 ms`)
})

t.test('a full queue loses its oldest repeats; when there are none, the newcomer', async (t) => {
  const clock = new Clock()
  const targets = hosts(QUEUE_LIMIT)
  for (const target of targets) clock.announcer.owner(target, YES, [ETH0], clock.now)
  clock.announcer.owner(VM2, YES, [ETH0], clock.now)
  t.equal(clock.announcer.size, QUEUE_LIMIT)
  t.same(clock.events, ['limit'], 'said')
  t.match(clock.announcer.limits, [{ used: QUEUE_LIMIT, size: QUEUE_LIMIT }, { used: 0 }])
  clock.announcer.wake(clock.now)
  clock.announcer.wake(clock.now + 14 as Instant)
  const spoken = clock.sent.map(({ target }) => ip(target))
  t.equal(spoken.length, 64)
  const newcomers = Array.from({ length: 100 }, (_, i) => new Address(0x20010db8, 0, 1, i))
  const lost = (from: readonly Address[]): number => {
    const before = clock.announcer.size
    for (const target of from) clock.announcer.withdraw(target)
    return from.length - (before - clock.announcer.size)
  }
  for (const target of newcomers.slice(0, 32)) clock.announcer.owner(target, YES, [ETH0], clock.now)
  t.equal(clock.announcer.size, QUEUE_LIMIT)
  for (const target of newcomers.slice(32)) clock.announcer.owner(target, YES, [ETH0], clock.now)
  t.equal(clock.announcer.size, QUEUE_LIMIT)
  t.equal(lost(newcomers), 100 - 64)
  t.equal(lost(spoken), 64)
  t.equal(lost(targets), 64, 'no others')
  t.equal(clock.announcer.size, 0)
})

t.test('the oldest repeats are lost first', async (t) => {
  const clock = new Clock()
  for (const target of hosts(QUEUE_LIMIT)) clock.announcer.owner(target, YES, [ETH0], clock.now)
  clock.announcer.wake(clock.now)
  clock.announcer.wake(clock.now + 14 as Instant)
  const spoken = clock.sent.map(({ target }) => ip(target))
  for (let i = 0; i < 32; i++) clock.announcer.owner(new Address(0x20010db8, 0, 1, i), YES, [ETH0], clock.now)
  for (const target of spoken.slice(0, 32)) clock.announcer.withdraw(target)
  t.equal(clock.announcer.size, QUEUE_LIMIT, 'those of the first batch are lost')
  for (const target of spoken.slice(32)) clock.announcer.withdraw(target)
  t.equal(clock.announcer.size, QUEUE_LIMIT - 32, 'those of the second are not')
})

const PLACES: readonly (readonly number[])[] = [[ETH0], [ETH0, ETH1], [ETH1]]
const event = fc.oneof(
  fc.record({ op: fc.constantFrom('owner' as const, 'changed' as const), host: fc.nat(5),
    announce: fc.constantFrom('yes' as const, 'yes' as const, 'solicit' as const, 'no' as const),
    ifindexes: fc.constantFrom(...PLACES) }),
  fc.record({ op: fc.constant('withdraw' as const), host: fc.nat(5) }),
  fc.record({ op: fc.constantFrom('up' as const, 'down' as const, 'gone' as const, 'router' as const),
    ifindex: fc.constantFrom(ETH0, ETH1) }),
  fc.record({ op: fc.constant('wait' as const), ms: fc.constantFrom(1, 10, 999, 1000, 3500) }))

t.test('at most three for an event, a second apart, none after a withdrawal, and all ends', async () => {
  const targets = hosts(6)
  fc.assert(fc.property(fc.array(event, { maxLength: 60, size: 'max' }), fc.nat(), (events, seed) => {
    const clock = new Clock([linkOf(ETH0), linkOf(ETH1)], seed)
    /** When each target was last spoken of on a link, since its last event. */
    const spoken = new Map<string, number[]>()
    const check = (): boolean => clock.sent.splice(0).every(({ at, target, line }) => {
      const key = `${target} ${line[0]}`
      const times = spoken.get(key)
      if (times === undefined || times.length === 3 || (times.length > 0 && at - times.at(-1)! < 1000)) return false
      return times.push(at) > 0
    })
    for (const event of events) {
      switch (event.op) {
        case 'owner': case 'changed':
          clock.announcer[event.op](targets[event.host], { ...YES, announce: event.announce }, event.ifindexes, clock.now)
          for (const ifindex of [ETH0, ETH1]) {
            const isTold = event.announce !== 'no' && event.ifindexes.includes(ifindex)
            if (isTold) spoken.set(`${targets[event.host]} ${ifindex}`, [])
            else spoken.delete(`${targets[event.host]} ${ifindex}`)
          }
          break
        case 'withdraw':
          clock.announcer.withdraw(targets[event.host])
          for (const ifindex of [ETH0, ETH1]) spoken.delete(`${targets[event.host]} ${ifindex}`)
          break
        case 'up': case 'down': clock.links.set(linkOf(event.ifindex, { up: event.op === 'up' })); break
        case 'gone':
          clock.announcer.gone(event.ifindex)
          for (const target of targets) spoken.delete(`${target} ${event.ifindex}`)
          break
        case 'router': clock.announcer.router(event.ifindex, ip('fe80::1'), true); break
        case 'wait': clock.wait(event.ms); break
      }
      if (!check()) return false
    }
    clock.wait(60_000)
    return check() && clock.announcer.size === 0 && clock.announcer.deadline === undefined
  }), { numRuns: 500 })
})
