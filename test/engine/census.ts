/** Room for others: who counts where, and what is said when there is none left. */
import t from 'tap'
import fc from 'fast-check'
import type { Mac } from '../../src/address.ts'
import { Address } from '../../src/address.ts'
import { Census, SILENT_ROUTER_LIMIT } from '../../src/engine/census.ts'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { NeighborTable } from '../../src/engine/neighbor-table.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { ActiveRule } from '../../src/engine/rules.ts'
import type { NeighborState } from '../../src/engine/types.ts'
import { mac } from './kit/frames.ts'
import { chance, configOf, ETH0, ETH1, linkOf, neighborOf, Recorder, VM2, VM3 } from './kit/stage.ts'

const RULE = ((): ActiveRule => {
  const rules = new Rules(configOf('proxy eth0 { limit 3\n host-limit 2\n rule 2001:db8::/64 { iface eth1 } }'), chance(1))
  rules.link(linkOf(ETH0))
  return rules.match(ETH0, 0x20010db8, 0, 0, 2)[0]
})()

/** A census of a cache, and how entries of it are made. */
function scene() {
  const sink = new Recorder()
  const table = new NeighborTable(chance(1))
  const census = new Census(table.hosts, sink)
  const entry = (n: number, more: Partial<Neighbor> = {}): Neighbor => neighborOf(new Address(0x20010db8, 0, 0, n), RULE, more, table)
  const owner = (n: number, from: string | undefined, more: Partial<Neighbor> = {}): Neighbor =>
    entry(n, { state: 'REACHABLE', ifindex: ETH1, mac: from === undefined ? undefined : mac(from), ...more })
  return { sink, table, census, entry, owner }
}

t.test('owners, in all and of each host, with a word when there is no room', async (t) => {
  const { sink, census, owner } = scene()
  const [one, two] = [owner(1, VM2), owner(2, VM2)]
  census.add(one)
  t.notOk(census.isSated(mac(VM2), RULE))
  census.add(two)
  t.same(sink.take(), [])
  t.ok(census.isSated(mac(VM2), RULE))
  t.notOk(census.isSated(mac(VM3), RULE))
  t.same(sink.take(), ['limit host 2'])
  t.notOk(census.isFull(RULE))
  census.add(owner(3, undefined))
  t.ok(census.isFull(RULE), 'one without a lladdr is one of all')
  t.same(sink.take(), ['limit neighbors 3'])
  t.same([...census.of(mac(VM2))].map(({ id }) => id), [one.id, two.id])
  census.remove(one)
  census.remove(two)
  t.same([...census.of(mac(VM2))], [])
  t.notOk(census.isFull(RULE))
})

t.test('questions under way on a host\'s account', async (t) => {
  const { census, entry } = scene()
  const asked = [1, 2].map((n) => entry(n, { account: mac(VM2) }))
  for (const one of asked) census.add(one)
  census.add(entry(3))
  t.ok(census.isBusy(mac(VM2), RULE))
  t.notOk(census.isBusy(mac(VM3), RULE))
  t.notOk(census.isSated(mac(VM2), RULE), 'it has none of these')
  census.remove(asked[0])
  t.notOk(census.isBusy(mac(VM2), RULE))
  t.equal(census.unproven, 2)
})

t.test('the oldest failure goes first, but what is known of a router stays', async (t) => {
  const { census, entry } = scene()
  const router = entry(1, { state: 'FAILED', router: true })
  const [first, second] = [2, 3].map((n) => entry(n, { state: 'FAILED' }))
  for (const one of [router, first, second]) census.add(one)
  t.equal(census.oldestFailed, first)
  census.remove(first)
  t.equal(census.oldestFailed, second)
  census.remove(second)
  t.equal(census.oldestFailed, undefined)
  t.equal(census.unproven, 1)
})

t.test('silent routers: not more than so many stay', async (t) => {
  const { census, entry } = scene()
  const routers = Array.from({ length: SILENT_ROUTER_LIMIT + 1 }, (_, n) => entry(n, { state: 'FAILED', router: true }))
  const host = entry(9999, { state: 'FAILED' })
  for (const one of [...routers, host]) census.add(one)
  t.equal(census.oldestFailed, routers[0])
  census.remove(routers[0])
  t.equal(census.oldestFailed, host)
})

t.test('pinned ones are not counted', async (t) => {
  const { census, owner } = scene()
  for (let n = 0; n < 9; n++) census.add(owner(n, VM2, { isPinned: true }))
  t.notOk(census.isFull(RULE))
  t.same([...census.of(mac(VM2))], [])
})

t.test('after any changes the counts are those of the entries, and owners that change make it another revision', async () => {
  const macs = [mac(VM2), mac(VM3), undefined]
  const what = fc.record({
    n: fc.nat(5), state: fc.constantFrom<NeighborState>('INCOMPLETE', 'REACHABLE', 'PROBE', 'FAILED'), gone: fc.boolean(),
    mac: fc.constantFrom(...macs), account: fc.constantFrom(...macs), router: fc.boolean(),
  })
  fc.assert(fc.property(fc.array(what), (changes) => {
    const { census, entry, table } = scene()
    const entries = new Map<number, Neighbor>()
    for (const { n, gone, ...more } of changes) {
      const known = entries.get(n)
      const revision = census.revision
      if (known !== undefined) census.remove(known)
      const wasOwned = known?.isOwned === true
      if (gone) {
        entries.delete(n)
        if (known !== undefined) table.delete(known)
      } else {
        const next = Object.assign(known ?? entry(n), more)
        entries.set(n, next)
        census.add(next)
      }
      if (wasOwned !== (entries.get(n)?.isOwned === true) && census.revision === revision) return false
    }
    const all = [...entries.values()]
    const owned = all.filter(({ isOwned }) => isOwned)
    return census.unproven === all.length - owned.length
      && census.isFull(RULE) === owned.length >= 3
      && (macs.slice(0, 2) as Mac[]).every((mac) => [...census.of(mac)].length === owned.filter((one) => one.mac === mac).length
        && census.isSated(mac, RULE) === owned.filter((one) => (one.account ?? one.mac) === mac).length >= 2
        && census.isBusy(mac, RULE) === all.filter(({ state, account }) => state === 'INCOMPLETE' && account === mac).length >= 2)
      && (census.oldestFailed === undefined) === !all.some(({ state, router }) => state === 'FAILED' && !router)
  }))
})
