import t from 'tap'
import { Address } from '../src/address.ts'
import { type LinkFigures, Totals } from '../src/totals.ts'

/** Links with counters that the test sets. */
function setup(...words: string[]) {
  const figures = new Map<number, LinkFigures>()
  const totals = new Totals(words, (ifindex) => figures.get(ifindex))
  const use = (ifindex: number, received: number, others: Partial<LinkFigures> = {}): void => {
    figures.set(ifindex, { received, drops: 0, sent: 0, unsent: 0, advertisements: 0, probes: 0, isServing: true, ...others })
  }
  return { totals, use, figures }
}

function row(totals: Totals, word: string) { return totals.interfaces.find((each) => each.word === word) }

t.test('each name and pattern has totals from the start', (t) => {
  const { totals } = setup('eth0', 'vm*')
  t.same(totals.interfaces, ['eth0', 'vm*'].map((word) => ({ word, ifindexes: [], serving: 0,
    traffic: { received: 0, drops: 0, sent: 0, unsent: 0, advertisements: 0, probes: 0, solicitations: 0 } })))
  t.end()
})

t.test('links count for their own name, else for the first pattern, else as found by a route', (t) => {
  const { totals, use } = setup('vm*', 'vm7', 'v*')
  for (const [ifindex, name] of [[1, 'vm1'], [2, 'vm2'], [7, 'vm7'], [3, 'vx'], [9, 'eth9']] as const) {
    use(ifindex, ifindex, { drops: 10 * ifindex, sent: 100 * ifindex, advertisements: 1000 * ifindex })
    totals.listen(ifindex, name)
  }
  t.match(row(totals, 'vm*'), { serving: 2, ifindexes: [1, 2], traffic: { received: 3, drops: 30, sent: 300, advertisements: 3000 } })
  t.match(row(totals, 'vm7'), { serving: 1, ifindexes: [7], traffic: { received: 7 } })
  t.match(row(totals, 'v*'), { serving: 1, traffic: { received: 3 } })
  t.match(row(totals, 'auto'), { serving: 1, traffic: { received: 9 } })
  t.match(row(totals, 'vm*'), { traffic: { received: 3 } }, 'read twice, counted once')
  t.end()
})

t.test('a link that goes stays in the total', (t) => {
  const { totals, use, figures } = setup('vm*')
  use(1, 5)
  totals.listen(1, 'vm1')
  use(1, 8)
  totals.ignore(1)
  figures.delete(1)
  t.match(row(totals, 'vm*'), { serving: 0, ifindexes: [], traffic: { received: 8 } })
  use(1, 2)
  totals.listen(1, 'vm2')
  t.match(row(totals, 'vm*'), { serving: 1, traffic: { received: 10 } }, 'another link with the same index')
  t.end()
})

t.test('a link whose sockets are not open is not served', (t) => {
  const { totals, use } = setup('late')
  use(1, 0, { isServing: false })
  totals.listen(1, 'late')
  t.match(row(totals, 'late'), { serving: 0, ifindexes: [1] })
  t.end()
})

t.test('another configuration changes where further traffic counts', (t) => {
  const { totals, use } = setup('vm*', 'eth0')
  use(1, 5)
  totals.listen(1, 'vm1')
  totals.configure(['vm*', 'vm1'])
  use(1, 7)
  t.match(row(totals, 'vm*'), { serving: 0, traffic: { received: 5 } })
  t.match(row(totals, 'vm1'), { serving: 1, traffic: { received: 2 } })
  t.same(totals.interfaces.map(({ word }) => word), ['vm*', 'vm1'])
  totals.configure(['eth0'])
  t.same(totals.interfaces.map(({ word }) => word), ['eth0', 'auto'])
  totals.configure(['vm*', 'eth0', 'auto'])
  t.match(row(totals, 'vm*'), { serving: 1, traffic: { received: 5 } }, 'what was counted before is kept')
  t.equal(totals.interfaces.length, 3, 'a link may be called auto')
  t.end()
})

t.test('valid solicitations count on the link where they were received', (t) => {
  const { totals, use } = setup('eth0', 'eth1')
  for (const [ifindex, name] of [[1, 'eth0'], [2, 'eth1']] as const) {
    use(ifindex, 0)
    totals.listen(ifindex, name)
  }
  for (const outcome of ['answered', 'answered', 'proof', 'checksum', 'unsolicited', 'no-rule', 'defended', 'probing'] as const) {
    totals.received(outcome, 1)
  }
  totals.received('answered', 2)
  totals.received('answered', 3)
  t.match(row(totals, 'eth0')?.traffic, { solicitations: 5 })
  t.match(row(totals, 'eth1')?.traffic, { solicitations: 1 })
  totals.ignore(1)
  totals.received('answered', 1)
  t.match(row(totals, 'eth0')?.traffic, { solicitations: 5 }, 'a link without sockets receives nothing')
  t.end()
})

t.test('events', (t) => {
  const { totals } = setup()
  const target = Address.parse('2001:db8::1')!
  const neighbor = { kind: 'neighbor', target, ifindex: 1, mac: undefined, reason: 'proof', news: true, former: undefined } as const
  totals.event({ ...neighbor, state: 'REACHABLE' })
  totals.event({ ...neighbor, state: 'REACHABLE', former: 2 })
  totals.event({ ...neighbor, state: 'FAILED' })
  totals.event({ ...neighbor, state: 'GONE' })
  totals.event({ ...neighbor, state: 'PROBE' })
  totals.event({ ...neighbor, state: 'REACHABLE', news: false })
  t.same(totals.changes, { found: 1, moved: 1, lost: 2 })
  totals.event({ kind: 'conflict', target, ifindex: 1, mac: 2 as never, basis: 'pinned' })
  t.same(totals.conflicts, { answered: 0, pinned: 1, gateway: 0 })
  totals.event({ kind: 'limit', limit: 'queue', size: 5 })
  totals.event({ kind: 'limit', limit: 'probes', size: 5, refused: 30 })
  totals.event({ kind: 'link', iface: 'eth0', ifindex: 1, state: 'up' })
  t.match(totals.refusals, { queue: 1, probes: 30, neighbors: 0 })
  t.end()
})
