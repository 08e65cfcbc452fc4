/** Announcements: rate, limits, and the order of many. */
import t from 'tap'
import fc from 'fast-check'
import { Address } from '../../../src/address.ts'
import { QUEUE_LIMIT } from '../../../src/engine/effects/announcer.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { AnnouncerClock, SOLICIT, YES } from '../kit/announcer-clock.ts'
import { ETH0, ETH1, ip, linkOf, nth } from '../kit/neighbor.ts'

const VM = ip('2001:db8:ffff::2')

/** @returns the most messages in any `window` ms, both ends included */
function most(times: readonly number[], window: number): number {
  let from = 0
  return times.reduce((max, at, i) => {
    while (times[from] < at - window) from++
    return Math.max(max, i - from + 1)
  }, 0)
}

function hosts(count: number, first = 1): Address[] { return Array.from({ length: count }, (_, i) => nth(first + i)) }

t.test('500 owners at once: under half a second, in no burst, each once before any twice', async (t) => {
  const pauses = new Set<number>()
  let slowest = 0
  for (let seed = 1; seed <= 20; seed++) {
    const clock = new AnnouncerClock([linkOf(ETH0)], seed)
    for (const target of hosts(500)) clock.owner(target)
    clock.wait(60_000)
    const times = clock.sent.map(({ at }) => at)
    slowest = Math.max(slowest, times[499] - 1000)
    const firstRound = [...new Set(times.slice(0, 500))]
    firstRound.slice(1).forEach((at, i) => pauses.add(at - firstRound[i]))
    const isRight = times.length === 1500 && times[0] === 1000 && times[499] < 1500 && most(times, 10) <= 64 && most(times, 0) <= 32
      && new Set(clock.sent.slice(0, 500).map(({ target }) => target)).size === 500
    if (!isRight) t.fail(`seed ${seed}`, { times, in10: most(times, 10), atOnce: most(times, 0) })
  }
  t.comment(`slowest first round: ${slowest} ms`)
  t.ok(slowest < 500)
  t.same([...pauses].sort((a, b) => a - b), [6, 7, 8, 9, 10, 11, 12, 13, 14], 'jitter')
})

t.test('more than a thousand a second, however often it is woken', async (t) => {
  const clock = new AnnouncerClock()
  for (const target of hosts(10_000)) clock.owner(target)
  const end = clock.now + 4000
  for (; clock.now < end; clock.now = clock.now + 1 as Instant) clock.wake()
  t.comment(`${clock.sent.length / 4} a second`)
  t.ok(clock.sent.length > 4000 && clock.sent.length < 4 * 5334)
  t.ok(most(clock.sent.map(({ at }) => at), 10) <= 64)
  t.equal(new Set(clock.sent.slice(0, 10_000).map(({ target }) => target)).size, 10_000, 'new owners before repeats')
})

t.test('solicitations to many routers count one by one', async (t) => {
  const clock = new AnnouncerClock()
  for (const router of hosts(13)) clock.announcer.router(ETH0, router, true)
  for (const target of hosts(100)) clock.owner(target, SOLICIT)
  clock.wait(60_000)
  const times = clock.sent.map(({ at }) => at)
  t.equal(times.length, 2 * 13 * 100)
  t.equal(most(times, 0), 26)
})

t.test('announcements that wait for their link delay no others', async (t) => {
  const clock = new AnnouncerClock([linkOf(ETH0), linkOf(ETH1, { up: false })])
  for (const target of hosts(5000)) clock.owner(target, YES, [ETH1])
  clock.wait(1050)
  let looks = 0
  clock.links.get = function (ifindex) {
    looks++
    return Links.prototype.get.call(this, ifindex)
  }
  clock.owner(VM)
  clock.wait(14)
  t.same(clock.take().map((line) => line.split(' ')[3]), ['2001:db8:ffff::2'])
  t.ok(looks > 100 && looks <= 3 * 256, `${looks} looked at in 14 ms`)
})

t.test('a full queue loses its oldest repeats, or the newcomer where there are none', async (t) => {
  const clock = new AnnouncerClock()
  const targets = hosts(QUEUE_LIMIT)
  for (const target of targets) clock.owner(target)
  clock.owner(VM)
  t.equal(clock.announcer.size, QUEUE_LIMIT)
  t.same(clock.events(), [`limit announcements ${QUEUE_LIMIT}`])
  t.match(clock.announcer.limits, [{ used: QUEUE_LIMIT, size: QUEUE_LIMIT }, { used: 0 }])
  clock.wake()
  clock.wake(clock.now + 14 as Instant)
  const announced = clock.sent.map(({ target }) => ip(target))
  t.equal(announced.length, 64)
  const newcomers = Array.from({ length: 100 }, (_, i) => new Address(0x20010db8, 0, 1, i))
  /** Withdraws targets. @returns how many of them the queue had lost */
  const lost = (from: readonly Address[]): number => {
    const before = clock.announcer.size
    for (const target of from) clock.announcer.withdraw(target)
    return from.length - (before - clock.announcer.size)
  }
  for (const target of newcomers.slice(0, 32)) clock.owner(target)
  t.equal(clock.announcer.size, QUEUE_LIMIT)
  t.equal(lost(announced.slice(0, 32)), 32, 'the first batch is lost first')
  for (const target of newcomers.slice(32)) clock.owner(target)
  t.equal(clock.announcer.size, QUEUE_LIMIT)
  t.equal(lost(newcomers), 100 - 64)
  t.equal(lost(announced.slice(32)), 32)
  t.equal(lost(targets), 64, 'no others')
  t.equal(clock.announcer.size, 0)
})

const PLACES: readonly (readonly number[])[] = [[ETH0], [ETH0, ETH1], [ETH1]]
const event = fc.oneof(
  fc.record({ op: fc.constantFrom('owner' as const, 'changed' as const), host: fc.nat(5),
    announce: fc.constantFrom('yes' as const, 'yes' as const, 'solicit' as const, 'no' as const), ifindexes: fc.constantFrom(...PLACES) }),
  fc.record({ op: fc.constant('withdraw' as const), host: fc.nat(5) }),
  fc.record({ op: fc.constantFrom('up' as const, 'down' as const, 'gone' as const, 'router' as const),
    ifindex: fc.constantFrom(ETH0, ETH1) }),
  fc.record({ op: fc.constant('wait' as const), ms: fc.constantFrom(1, 10, 999, 1000, 3500) }))

t.test('at most three for an event, a second apart, none after a withdrawal, and the queue gets empty', async () => {
  const targets = hosts(6)
  fc.assert(fc.property(fc.array(event, { maxLength: 60, size: 'max' }), fc.nat(), (events, seed) => {
    const clock = new AnnouncerClock([linkOf(ETH0), linkOf(ETH1)], seed)
    /** Times of the messages about a target on a link, since its last event. */
    const announced = new Map<string, number[]>()
    const check = (): boolean => clock.sent.splice(0).every(({ at, target, line }) => {
      const key = `${target} ${line.split(' ')[1] === 'eth0' ? ETH0 : ETH1}`
      const times = announced.get(key)
      if (times === undefined || times.length === 3 || (times.length > 0 && at - times.at(-1)! < 1000)) return false
      return times.push(at) > 0
    })
    for (const event of events) {
      switch (event.op) {
        case 'owner': case 'changed':
          clock.announcer.announce(targets[event.host], { ...YES, announce: event.announce }, event.ifindexes,
            event.op === 'changed', clock.now)
          for (const ifindex of [ETH0, ETH1]) {
            const isWanted = event.announce !== 'no' && event.ifindexes.includes(ifindex)
            if (isWanted) announced.set(`${targets[event.host]} ${ifindex}`, [])
            else announced.delete(`${targets[event.host]} ${ifindex}`)
          }
          break
        case 'withdraw':
          clock.announcer.withdraw(targets[event.host])
          for (const ifindex of [ETH0, ETH1]) announced.delete(`${targets[event.host]} ${ifindex}`)
          break
        case 'up': case 'down': clock.links.set(linkOf(event.ifindex, { up: event.op === 'up' })); break
        case 'gone':
          clock.announcer.gone(event.ifindex)
          for (const target of targets) announced.delete(`${target} ${event.ifindex}`)
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
