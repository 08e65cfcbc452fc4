/** Limits of the neighbor cache, in all and per host, as solicitors and hosts meet them. */
import t from 'tap'
import { ALIVE_RESERVE, UNPROVEN_LIMIT } from '../../../src/engine/cache/capacity.ts'
import { numbers } from '../../kit/addresses.ts'
import { ETH0, ETH1, linkOf, mac, many, na, nthMac, ROUTER, Stage, PATIENT, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

t.test('limit: a new owner takes the place of the oldest that was not verified, also when many prove at once', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'limit 3\n host'))
  const owners = (): string[] => Object.entries(stage.known).filter(([, what]) => what === 'REACHABLE eth1 routed').map(([target]) => target)
  for (let n = 0; n < 6; n++) t.equal(stage.ns(ETH0, many(n + 1)), 'probing')
  for (let n = 0; n < 6; n++) stage.na(ETH1, many(n + 1), nthMac(n))
  t.same(owners(), [4, 5, 6].map(many))
  const lines = stage.sink.take('limit', 'neighbor')
  t.same(lines.filter((line) => line.startsWith('limit')), Array<string>(3).fill('limit neighbors 3'))
  t.same(lines.filter((line) => line.includes('GONE')), [1, 2, 3].map((n) => `neighbor ${many(n)} GONE: limit`))
  t.equal(stage.sink.routes.size, 3, 'routes of owners that are gone are removed')
  t.equal(stage.known['2001:db8::1'], 'REACHABLE eth0', 'pinned owners do not count')

  stage.wait(1000)
  t.same(stage.probes().sort(), [4, 5, 6].map((n) => `confirm eth1 ${many(n)} from fe80::ff:3 to ${nthMac(n - 1)}`), 'verified after a second')
  for (const n of [4, 5]) stage.na(ETH1, many(n), nthMac(n - 1), { flags: 'S', tlla: '' })
  const add = (n: number): void => {
    t.equal(stage.ns(ETH0, many(n)), 'probing')
    stage.na(ETH1, many(n), nthMac(n))
  }
  add(7)
  t.same(owners(), [4, 5, 7].map(many), 'not of one that answered')
  stage.wait(1000)
  stage.na(ETH1, many(7), nthMac(7))
  stage.sink.take()
  t.equal(stage.ns(ETH0, many(8)), 'limit')
  t.same(stage.sink.take('limit'), ['limit neighbors 3'], 'all answered')
  t.equal(stage.ns(ETH0, many(5)), 'answered')
  stage.wait(26_000)
  t.same(stage.probes(), [], 'from then on they are verified by `ttl`')
})

t.test('limit: owners that answered leave a quarter to new ones, and are not verified all the time', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'limit 8\n host'))
  const add = (n: number): void => stage.learn(many(n), nthMac(n))
  const answer = (): string[] => {
    const probes = stage.probes()
    for (const probe of probes) {
      const [, , target, , , , to] = probe.split(' ')
      stage.na(ETH1, target, to)
    }
    return probes
  }
  for (let n = 1; n <= 8; n++) add(n)
  stage.wait(1000)
  t.equal(answer().length, 5, 'from half of the limit on')
  stage.wait(5000)
  t.equal(answer().length, 0)
  add(9)
  stage.wait(1000)
  t.match(answer(), [/confirm/], 'one more may be confirmed')
  for (const n of [10, 11, 12]) add(n)
  stage.wait(5000)
  t.same(answer(), [], 'six are')
  const { known } = stage
  t.same([4, 5, 6, 7, 8, 9].filter((n) => known[many(n)] === undefined), [], 'these stay')
  t.same([11, 12].filter((n) => known[many(n)] === undefined), [], 'and the newest')
})

t.test('limit: the port with most new owners pays, also after a move', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'limit 8\n host'))
  const plug = (n: number, port: number): void => stage.handle({ kind: 'station', ifindex: ETH1, mac: mac(nthMac(n)), port })
  const add = (n: number, port: number): void => {
    plug(n, port)
    stage.learn(many(n), nthMac(n))
  }
  const owned = (): number[] => numbers(1, 20).filter((n) => stage.known[many(n)]?.endsWith('routed') === true)
  for (const n of [1, 2, 3]) add(n, 21)
  for (const n of [4, 5, 6, 7, 8]) add(n, 22)
  add(9, 22)
  t.same(owned(), [1, 2, 3, 5, 6, 7, 8, 9])
  add(10, 23)
  t.same(owned(), [1, 2, 3, 6, 7, 8, 9, 10])
  for (const n of [6, 7]) plug(n, 21)
  stage.handle({ kind: 'station', ifindex: ETH1, mac: mac(nthMac(8)), port: undefined })
  add(11, 23)
  t.same(owned(), [2, 3, 6, 7, 8, 9, 10, 11])
})

t.test('host-limit: one host takes no more addresses', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'host-limit 2\n host'))
  for (const n of [1, 2, 3]) {
    stage.ns(ETH0, many(n))
    stage.na(ETH1, many(n), VM2)
  }
  t.match(stage.known, { [many(1)]: 'REACHABLE eth1 routed', [many(2)]: 'REACHABLE eth1 routed', [many(3)]: 'FAILED -' })
  t.same(stage.sink.take('limit'), ['limit host 2'])
  stage.ns(ETH0, many(4))
  t.equal(stage.na(ETH1, many(4), VM3), 'proof')
  t.equal(stage.known[many(4)], 'REACHABLE eth1 routed', 'another host does')
  for (const n of [5, 6, 7]) {
    stage.ns(ETH1, many(n))
    stage.na(ETH0, many(n), ROUTER)
  }
  t.match(stage.known, { [many(7)]: 'REACHABLE eth0' }, 'hosts upstream are not limited')
})

t.test('host-limit: addresses that a host answers for with other link-layer addresses are its own, and free again after their end', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'host-limit 2\n host'))
  for (const round of ['first', 'second']) {
    for (const n of [1, 2, 3]) {
      stage.ns(ETH0, many(n))
      stage.na(ETH1, many(n), VM2, { tlla: nthMac(n) })
    }
    t.match(stage.known, { [many(1)]: 'REACHABLE eth1 routed', [many(2)]: 'REACHABLE eth1 routed', [many(3)]: 'FAILED -' }, round)
    stage.wait(60_000)
    t.equal(stage.known[many(1)], undefined)
  }
})

t.test('host-limit: a host downstream causes only so many probes', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'host-limit 2\n host'))
  const solicit = (n: number, from: string) => stage.ns(ETH1, many(n), { from, source: 'fe80::2' })
  t.same([solicit(1, VM2), solicit(2, VM2), solicit(3, VM2)], ['probing', 'probing', 'limit'])
  t.same(stage.sink.take('limit'), ['limit host 2'])
  t.equal(solicit(1, VM2), 'probing', 'a target that is probed already is free')
  t.equal(solicit(4, VM3), 'probing', 'another host')
  t.same([5, 6, 7].map((n) => stage.ns(ETH0, many(n))), ['probing', 'probing', 'probing'], 'the router solicits for all hosts upstream')
  stage.na(ETH0, many(1), ROUTER)
  t.equal(solicit(3, VM2), 'probing', 'one target is proved')
  stage.wait(2000)
  t.same([solicit(8, VM2), solicit(9, VM2), solicit(10, VM2)], ['probing', 'probing', 'limit'], 'all targets failed')
})

t.test('host-limit does not refuse the move of many hosts to the upstream, behind one link-layer address', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'host-limit 2\n host'))
  stage.learn(many(1), VM2)
  stage.learn(many(2), VM2)
  stage.learn(many(3), VM3)
  stage.wait(1000)
  for (const n of [1, 2, 3]) stage.frame(ETH0, na({ target: many(n), from: ROUTER }))
  stage.sink.take()
  stage.wait(2000)
  t.same(stage.sink.take('solicit eth0').sort(), [1, 2, 3].map((n) => `solicit eth0 ${many(n)}`))
})

t.test('on links without link-layer addresses hosts do not count as one', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'host-limit 2\n host'), [twoLinks()[0], linkOf(ETH1, { mac: undefined })])
  for (const n of [1, 2, 3]) {
    stage.ns(ETH0, many(n))
    stage.frame(ETH1, na({ target: many(n), from: VM2, to: 'fe80::ff:3', tlla: '' }), true)
  }
  t.match(stage.known, { [many(1)]: 'REACHABLE eth1 routed', [many(3)]: 'REACHABLE eth1 routed' })
  stage.sink.take()
  stage.wait(28_000)
  const probes = stage.sink.take('confirm', 'solicit').sort()
  t.equal(probes.length, 6, 'each target and all nodes are solicited')
  t.ok(probes.every((probe) => probe.startsWith('confirm eth1 ')), 'none by its group')
})

t.test('a scan: entries without an owner are limited, the oldest FAILED entry is replaced, owners stay', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'probe-limit 100000\n host'))
  stage.learn(VM, VM2)
  stage.ns(ETH0, many(1))
  stage.wait(1)
  for (let n = 2; n <= UNPROVEN_LIMIT; n++) stage.ns(ETH0, many(n))
  // A first probe for each.
  stage.wait(1100)
  t.equal(stage.ns(ETH0, many(0xffff)), 'limit', 'all of them are INCOMPLETE')
  t.same(stage.sink.take('limit'), [`limit targets ${UNPROVEN_LIMIT}`])
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.wait(2000)
  t.equal(stage.known[many(1)], 'FAILED -')
  t.equal(stage.ns(ETH0, many(0xffff)), 'probing')
  t.equal(stage.known[many(1)], undefined, 'the oldest')
  t.equal(stage.known[many(2)], 'FAILED -')
  t.equal(Object.keys(stage.known).length, UNPROVEN_LIMIT + 2)
})

t.test('a scan does not keep out hosts that show themselves', async (t) => {
  const stage = new Stage(PATIENT.replace('host', 'probe-limit 100000\n host').replace('timeout 500', 'timeout 5s'))
  for (let n = 1; n <= UNPROVEN_LIMIT + 1; n++) stage.ns(ETH0, many(n))
  // A first probe for each.
  stage.wait(1100)
  const show = (n: number): void => { stage.ns(ETH1, '2001:db8::1', { source: many(0x9000 + n), from: nthMac(n) }) }
  show(0)
  stage.na(ETH1, many(0x9000), nthMac(0))
  t.equal(stage.known[many(0x9000)], 'REACHABLE eth1 routed')
  stage.wait(10)
  stage.sink.take()
  for (let n = 1; n <= ALIVE_RESERVE + 1; n++) show(n)
  stage.wait(1100)
  t.equal(Object.keys(stage.known).length, UNPROVEN_LIMIT + ALIVE_RESERVE + 2, 'up to a limit')
  t.same(stage.sink.take('limit'), [`limit targets ${UNPROVEN_LIMIT + ALIVE_RESERVE}`])
})

t.test('after every kind of end all places are free again', async (t) => {
  const config = PATIENT.replace('host', 'limit 4\n host-limit 2\n host')
  const stage = new Stage(config)
  const owned = (): number => Object.values(stage.known).filter((what) => what.startsWith('REACHABLE eth1')).length
  const fill = (): void => {
    for (const n of [1, 2]) { stage.ns(ETH0, many(n)); stage.na(ETH1, many(n), VM2) }
    for (const n of [3, 4]) { stage.ns(ETH0, many(n)); stage.na(ETH1, many(n), VM3) }
  }
  let since = stage.now
  const ends: [string, () => void][] = [
    ['silence', () => stage.wait(60_000)],
    ['the link goes', () => { stage.gone(ETH1); stage.link(linkOf(ETH1)); stage.wait(60_000) }],
    ['the rule goes', () => {
      stage.configure('proxy eth0 { rule fd00::/64 { iface eth1 } }')
      stage.configure(config)
    }],
    ['all are pinned for a while', () => {
      stage.configure(config.replace('host', [1, 2, 3, 4].map((n) => `host ${many(n)} eth1\n`).join(' ') + 'host'))
      stage.configure(config)
    }],
    ['the owners change hosts, and change back', () => {
      for (const hosts of [[VM3, VM2], [VM2, VM3]]) {
        stage.wait(28_000 - (stage.now - since))
        stage.wait(1500)
        for (const n of [1, 2, 3, 4]) stage.na(ETH1, many(n), hosts[n < 3 ? 0 : 1])
        since = stage.now
      }
      stage.wait(60_000)
    }],
  ]
  for (const [end, leave] of ends) {
    since = stage.now
    fill()
    t.equal(owned(), 4, `before ${end}`)
    leave()
    t.equal(owned(), 0, end)
  }
  fill()
  t.equal(owned(), 4, 'in the end')
})
