/** The neighbor cache's memory against plain maps, under any sequence: rows are used again, views of those before are not. */
import t from 'tap'
import fc from 'fast-check'
import { Address } from '../../src/address.ts'
import type { Mac } from '../../src/address.ts'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { NeighborTable } from '../../src/engine/neighbor-table.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { ActiveRule } from '../../src/engine/rules.ts'
import type { Instant, NeighborState } from '../../src/engine/types.ts'
import { ip, mac } from './kit/frames.ts'
import { chance, configOf, ETH0, ETH1, linkOf, neighborOf, VM2, VM3 } from './kit/stage.ts'

const RULES = ((): ActiveRule[] => {
  const rules = new Rules(configOf('proxy eth0 { rule 2001:db8::/64 { iface eth1 }\n rule 2001:db8::/56 { iface eth2 } }'), chance(1))
  rules.link(linkOf(ETH0))
  return [...rules.match(ETH0, 0x20010db8, 0, 0, 2)]
})()

/** Every field that an entry has of its own. */
interface Fields {
  rule: ActiveRule; state: NeighborState; ifindex: number; mac: Mac | undefined; router: boolean; proxied: boolean; used: boolean
  absent: boolean; told: boolean; verified: Instant; home: number; joined: readonly number[]; isPinned: boolean
  via: Address | undefined; asking: readonly number[]; byRoute: boolean; account: Mac | undefined; probes: number
  askers: Neighbor['askers']; rival: number; rivalMac: Mac | undefined; route: Neighbor['route']
}

const FRESH: Omit<Fields, 'rule'> = {
  state: 'INCOMPLETE', ifindex: 0, mac: undefined, router: false, proxied: false, used: false, absent: false, told: false,
  verified: Number.NEGATIVE_INFINITY as Instant, home: 0, joined: [], isPinned: false, via: undefined, asking: [], byRoute: false,
  account: undefined, probes: 0, askers: [], rival: 0, rivalMac: undefined, route: undefined,
}

const anyMac = fc.constantFrom(mac(VM2), mac(VM3), mac('ff:ff:ff:ff:ff:ff'), mac('00:00:00:00:00:00'), mac('80:00:80:00:00:00'))
const maybeMac = fc.option(anyMac, { nil: undefined })
const via = fc.constantFrom(undefined, ip('fe80::7'))
const links = fc.subarray([2, 3, 4])
const askers = fc.subarray([{ ifindex: 2, source: ip('fe80::1'), mac: mac(VM2) }, { ifindex: 3, source: ip('fe80::2'), mac: mac(VM3) }])
const ifindex = fc.constantFrom(0, 2, 3, 2 ** 31 - 1)
const changes: fc.Arbitrary<Partial<Fields>> = fc.record({
  rule: fc.constantFrom(...RULES), state: fc.constantFrom<NeighborState>('INCOMPLETE', 'REACHABLE', 'PROBE', 'FAILED'),
  ifindex, mac: maybeMac, router: fc.boolean(), proxied: fc.boolean(), used: fc.boolean(), absent: fc.boolean(), told: fc.boolean(),
  verified: fc.double({ noNaN: true }).map((at) => at as Instant), home: ifindex, joined: links, isPinned: fc.boolean(), via, asking: links,
  byRoute: fc.boolean(), account: maybeMac, probes: fc.nat(9), askers, rival: ifindex, rivalMac: maybeMac,
}, { requiredKeys: [] })

const w3 = fc.nat(11)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('create' as const), w3 }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('delete' as const), w3 }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('change' as const), w3, changes }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('route' as const), w3, via, on: fc.boolean() }) })

/** Some come near to each other in the index, and the words are not all alike. */
function targetOf(n: number): Address { return new Address(0x20010db8, n & 1, -(n & 2), n) }

t.test('every field of every entry is what was written there, whatever became of others', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.integer(), (steps, seed) => {
    const table = new NeighborTable(chance(seed))
    const oracle = new Map<number, Fields>()
    const find = (n: number): Neighbor | undefined => {
      const { w0, w1, w2, w3 } = targetOf(n)
      return table.get(w0, w1, w2, w3)
    }
    const gone: Neighbor[] = []
    for (const step of steps) {
      const [neighbor, fields] = [find(step.w3), oracle.get(step.w3)]
      if ((neighbor === undefined) !== (fields === undefined)) throw new Error('found, or not')
      if (neighbor === undefined || fields === undefined) {
        if (step.op !== 'create') continue
        table.create(targetOf(step.w3), RULES[0])
        oracle.set(step.w3, { rule: RULES[0], ...FRESH })
        continue
      }
      switch (step.op) {
        case 'create': break
        case 'delete': table.delete(neighbor); oracle.delete(step.w3); gone.push(neighbor); break
        case 'change': Object.assign(neighbor, step.changes); Object.assign(fields, step.changes); break
        case 'route': {
          const route = { target: targetOf(step.w3), ifindex: 3, ...(step.via === undefined ? {} : { via: step.via }) }
          neighbor.route = fields.route = step.on ? route : undefined
        }
      }
    }
    if (table.size !== oracle.size) throw new Error('size')
    for (const [n, fields] of oracle) {
      const neighbor = find(n)!
      for (const [key, value] of Object.entries(fields)) {
        if (!isSame(neighbor[key as keyof Fields], value)) throw new Error(`${key}: ${neighbor[key as keyof Fields]} for ${value}`)
      }
      if (!neighbor.target.equals(targetOf(n)) || neighbor.routed !== (fields.route?.ifindex ?? 0)) throw new Error('target')
      if (neighbor.isOwned !== (fields.state === 'REACHABLE' || fields.state === 'PROBE')) throw new Error('owned')
    }
    const all = [...table.values()].map(({ target }) => target.w3)
    if (all.sort().join() !== [...oracle.keys()].sort().join()) throw new Error('values')
    for (const link of [0, 2, 3]) {
      const on = [...table.on(link)].map(({ target }) => target.w3).sort()
      if (on.join() !== [...oracle].filter(([, { ifindex }]) => ifindex === link).map(([n]) => n).sort().join()) throw new Error('on')
    }
    for (const neighbor of gone) if (!throws(() => neighbor.state) || !throws(() => { neighbor.rival = 1 })) throw new Error('gone')
    return true
  }), { numRuns: 1000 })
})

t.test('deadlines: in order, and none of who is gone', async () => {
  const step = fc.record({ op: fc.constantFrom('set', 'clear', 'delete', 'create', 'due'), n: fc.nat(7), at: fc.nat(20) })
  fc.assert(fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
    const table = new NeighborTable(chance(1))
    const due = new Map<number, number>()
    const at = (n: number): Neighbor | undefined => table.get(0x20010db8, n & 1, -(n & 2), n)
    for (const { op, n, at: when } of steps) {
      const neighbor = at(n)
      if (op === 'due') {
        const first = Math.min(...due.values())
        const taken = table.due(when as Instant)
        if (taken === undefined ? first <= when : due.get(taken.target.w3) !== first || first > when) return false
        if (taken !== undefined) due.delete(taken.target.w3)
      } else if (neighbor === undefined) {
        if (op === 'create') table.create(targetOf(n), RULES[0])
      } else if (op === 'set') {
        table.setDeadline(neighbor, when as Instant)
        due.set(n, when)
        if (neighbor.deadline !== when) return false
      } else if (op === 'clear' || op === 'delete') {
        if (op === 'clear') table.clearDeadline(neighbor)
        else table.delete(neighbor)
        due.delete(n)
      }
      if (table.deadline !== (due.size === 0 ? undefined : Math.min(...due.values()))) return false
    }
    return true
  }), { numRuns: 500 })
})

t.test('what each link-layer address has, in any order of coming and going', async () => {
  const macs = [mac(VM2), mac(VM3), mac('80:00:80:00:00:00')]
  const step = fc.record({ n: fc.nat(11), mac: fc.constantFrom(...macs), forget: fc.boolean() })
  fc.assert(fc.property(fc.array(step, { maxLength: 200, size: 'max' }), fc.integer(), (steps, seed) => {
    const table = new NeighborTable(chance(seed))
    const { hosts } = table
    const listed = new Map<number, Mac>()
    for (const { n, mac, forget } of steps) {
      const { w0, w1, w2, w3 } = targetOf(n)
      const known = table.get(w0, w1, w2, w3)
      const neighbor = known ?? neighborOf(targetOf(n), RULES[0], {}, table)
      const before = listed.get(n)
      if (before === undefined) {
        neighbor.mac = mac
        hosts.add(neighbor, mac)
        listed.set(n, mac)
      } else {
        hosts.remove(neighbor, before)
        listed.delete(n)
        // Sometimes its row serves another.
        if (forget) table.delete(neighbor)
      }
      if (hosts.size !== new Set(listed.values()).size) return false
      for (const one of macs) {
        const expected = [...listed].filter(([, mac]) => mac === one).map(([n]) => n).sort()
        if (hosts.count(one) !== expected.length || [...hosts.of(one)].map(({ target }) => target.w3).sort().join() !== expected.join()) return false
      }
    }
    return true
  }), { numRuns: 500 })
})

t.test('entries may come and go while all are looked at', async (t) => {
  const table = new NeighborTable(chance(1))
  for (let n = 0; n < 10; n++) neighborOf(targetOf(n), RULES[0], { ifindex: ETH1 }, table)
  const seen: number[] = []
  for (const neighbor of table.values()) {
    const { target: { w3 } } = neighbor
    seen.push(w3)
    table.delete(neighbor)
    const next = table.get(0x20010db8, 1, 0, 5)
    if (next !== undefined) table.delete(next)
    if (w3 === 4) for (let n = 20; n < 24; n++) table.create(targetOf(n), RULES[0])
  }
  t.same(seen.filter((n) => n < 10), [0, 1, 2, 3, 4, 6, 7, 8, 9], 'all that were there and stayed until their turn')
  t.same([...table.on(ETH1)], [])
  t.ok(table.size <= 4)
})

t.test('rows are used again: a hundred thousand that come and go need no more of them than were there at once', async (t) => {
  const table = new NeighborTable(chance(7))
  for (let n = 0; n < 100_000; n++) {
    const { id } = table.create(targetOf(n), RULES[0])
    if (id > 64) t.fail(`row ${id}`)
    const { w0, w1, w2, w3 } = targetOf(n - 64)
    const old = table.get(w0, w1, w2, w3)
    if (old !== undefined) table.delete(old)
  }
  t.equal(table.size, 64)
})

function isSame(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (a instanceof Object && b instanceof Object && JSON.stringify(a) === JSON.stringify(b))
}

function throws(what: () => unknown): boolean {
  try {
    what()
    return false
  } catch {
    return true
  }
}
