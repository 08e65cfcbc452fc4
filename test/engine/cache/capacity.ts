/** Limits of the neighbor cache: which entries count for which host, and the events of full tables. */
import t from 'tap'
import fc from 'fast-check'
import type { Mac } from '../../../src/address.ts'
import { ALIVE_RESERVE, Capacity, UNPROVEN_LIMIT } from '../../../src/engine/cache/capacity.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import type { Instant } from '../../../src/engine-types.ts'
import type { NeighborState } from '../../../src/events.ts'
import { ETH1, mac, neighborOf, nth, PartsRecorder, type Properties, VM2, VM3, worldOf } from '../kit/neighbor.ts'

const { rule: RULE } = worldOf('proxy eth0 { limit 3\n host-limit 2\n rule 2001:db8::/64 { iface eth1 } }')

function entry(n: number, more: Properties = {}): Neighbor { return neighborOf(nth(n), RULE, more) }

function scene(): { recorder: PartsRecorder; capacity: Capacity } {
  const recorder = new PartsRecorder()
  return { recorder, capacity: new Capacity(recorder) }
}

/** Entries in use: owned, unproven. */
function used(capacity: Capacity): number[] { return capacity.limits(3).map(({ used }) => used) }

t.test('the oldest failure is replaced first, and hosts that showed themselves have a reserve', async (t) => {
  const { recorder, capacity } = scene()
  const [first, second] = [2, 3].map((n) => entry(n, { state: 'FAILED' }))
  for (const each of [first, second]) capacity.add(each)
  t.equal(capacity.place(RULE, false), 'free')
  for (let n = 2; n < UNPROVEN_LIMIT; n++) capacity.add(entry(10 + n))
  t.same([...capacity.failed], [first, second])
  t.equal(capacity.place(RULE, true), 'free')
  t.equal(capacity.place(RULE, false), first)
  capacity.remove(first)
  capacity.add(entry(4))
  t.equal(capacity.place(RULE, false), second)
  capacity.remove(second)
  capacity.add(entry(5))
  t.same(recorder.take(), [])
  t.equal(capacity.place(RULE, false), undefined)
  for (let n = 0; n < ALIVE_RESERVE; n++) capacity.add(entry(10_000 + n))
  t.equal(capacity.place(RULE, true), undefined)
  t.same(recorder.take(), [`limit targets ${UNPROVEN_LIMIT}`, `limit targets ${UNPROVEN_LIMIT + ALIVE_RESERVE}`])
})

t.test('at host-limit, a sign of life replaces the oldest entry that the host caused, if its target had time to answer', async (t) => {
  const account = mac(VM2)
  const { timeout } = RULE.settings
  const sent = 1000
  /** @returns the place for one more target, ms after the last probe of the first one */
  const place = (probes: number, ms: number, isAlive = true): unknown => {
    const { capacity } = scene()
    const first = entry(2, { state: 'INCOMPLETE', account, probes, deadline: sent + timeout as Instant })
    for (const each of [first, entry(3, { state: 'INCOMPLETE', account, probes: 9 })]) capacity.add(each)
    const found = capacity.probePlace(account, RULE, isAlive, sent + ms as Instant)
    return found === first ? 'the first' : found
  }
  t.equal(place(1, 51), 'the first')
  t.equal(place(1, 50), undefined, 'too early')
  t.equal(place(2, 0), 'the first', 'its first probe was long ago')
  t.equal(place(0, 500), undefined, 'not probed yet')
  t.equal(place(2, 500, false), undefined, 'no sign of life')
  t.equal(scene().capacity.probePlace(account, RULE, true, 0 as Instant), 'free')
})

t.test('pinned owners are not counted', async (t) => {
  const { capacity } = scene()
  for (let n = 0; n < 9; n++) capacity.add(entry(n, { state: 'REACHABLE', ifindex: ETH1, mac: mac(VM2), isPinned: true }))
  t.notOk(capacity.isFull(RULE))
  t.same(capacity.of(mac(VM2)), [])
})

t.test('after any changes the counts are those of the entries, and changes of owners raise the revision', async () => {
  const macs = [mac(VM2), mac(VM3), undefined]
  const change = fc.record({ n: fc.nat(5), state: fc.constantFrom<NeighborState>('INCOMPLETE', 'REACHABLE', 'PROBE', 'FAILED'),
    gone: fc.boolean(), mac: fc.constantFrom(...macs), account: fc.constantFrom(...macs) })
  fc.assert(fc.property(fc.array(change), (changes) => {
    const { capacity } = scene()
    const entries = new Map<number, Neighbor>()
    for (const { n, gone, ...more } of changes) {
      const known = entries.get(n)
      const { revision } = capacity
      if (known !== undefined) capacity.remove(known)
      const wasOwned = known?.isOwned === true
      if (gone) {
        entries.delete(n)
      } else {
        const next = Object.assign(known ?? entry(n), more)
        entries.set(n, next)
        capacity.add(next)
      }
      if (wasOwned !== (entries.get(n)?.isOwned === true) && capacity.revision === revision) return false
    }
    const all = [...entries.values()]
    const owned = all.filter(({ isOwned }) => isOwned)
    const failed = all.filter(({ state }) => state === 'FAILED')
    const [owners, unproven] = used(capacity)
    return owners === owned.length && unproven === all.length - owned.length
      && capacity.isFull(RULE) === owned.length >= 3
      && (macs.slice(0, 2) as Mac[]).every((mac) => capacity.of(mac).every((each) => each.isOwned && each.mac === mac)
        && capacity.of(mac).length === owned.filter((each) => each.mac === mac).length
        && capacity.hasEnough(mac, RULE) === owned.filter((each) => (each.work.account ?? each.mac) === mac).length >= 2
        && (capacity.probePlace(mac, RULE, false, 0 as Instant) === undefined)
          === all.filter(({ state, work: { account } }) => state === 'INCOMPLETE' && account === mac).length >= 2)
      && [...capacity.failed].length === failed.length
  }))
})
