/** Which other proxies on a downstream link are behind this machine: those that do not answer there for addresses upstream. */
import t from 'tap'
import { ETH0, ETH1, ip, linkOf, many, nthMac, PATIENT, ROUTER, Stage, VM, VM2, VM3 } from '../kit/stage.ts'

const PINNED = '2001:db8::1'
const UNPINNED = PATIENT.replace(/host.*\n/, '')
/** The proxy. */
const PROXY = VM2

/** The proxy answers for these targets. @returns the outcome of the first answer */
function answer(stage: Stage, ...targets: string[]): (string | undefined)[] {
  return targets.map((target) => stage.na(ETH1, target, PROXY, { to: 'fe80::ff:3', source: 'fe80::2', flags: 'RS' }))
}

/** Plays a test: the proxy answers for these targets in each round. */
function play(stage: Stage, ...targets: string[]): void {
  for (let round = 0; round < 12; round++) {
    answer(stage, ...targets)
    stage.wait(50)
  }
}

/** @returns a stage where the proxy answered for VM, and was tested */
function tested(...targets: string[]): Stage {
  const stage = new Stage(PATIENT)
  stage.ns(ETH0, VM)
  answer(stage, VM)
  play(stage, ...targets)
  stage.sink.take()
  return stage
}

t.test('the proxy alone is solicited, for an address upstream and for the host', async (t) => {
  const stage = new Stage(PATIENT)
  stage.ns(ETH0, VM)
  stage.sink.take()
  t.same(answer(stage, VM), ['proxied'])
  const round = [[PINNED, 1], [VM, 2]].map(([target, n]) => `confirm eth1 ${target} at ff02::1:ff00:${n} from fe80::ff:3 to ${PROXY}`)
  t.same(stage.probes(), round)
  stage.wait(50)
  t.same(stage.probes(), round)
  for (let round = 0; round < 11; round++) {
    t.same(answer(stage, VM), ['proxied'])
    stage.wait(50)
  }
  t.same(stage.probes(), [...Array.from({ length: 10 }, () => round).flat(), `solicit eth1 ${VM}`], 'twelve rounds, and then the group again')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.same(answer(stage, VM), ['proof'])
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  t.same(stage.saved, [`${VM} eth1 ${PROXY}`])
  stage.ns(ETH0, many(1))
  t.same(answer(stage, many(1)), ['proof'], 'for other hosts at once')
})

t.test('a proxy beside this machine answers for the address upstream as well: its answers prove nothing', async (t) => {
  const stage = tested(VM, PINNED)
  t.same(answer(stage, VM), ['proxied'])
  stage.wait(2000)
  t.equal(stage.known[VM], 'FAILED -')
  stage.ns(ETH0, many(1))
  stage.sink.take()
  t.same(answer(stage, many(1)), ['proxied'])
  t.same(stage.probes(), [], 'no test within ten seconds')
  stage.wait(8000)
  stage.ns(ETH0, many(2))
  stage.sink.take()
  answer(stage, many(2))
  t.equal(stage.probes().length, 2, 'but later')
})

t.test('one late answer of many is enough', async (t) => {
  const stage = tested(VM)
  t.same(answer(stage, VM), ['proof'])
  stage.na(ETH1, PINNED, VM3, { to: 'fe80::ff:3', tlla: PROXY })
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'but not one of another host in its name')
  answer(stage, PINNED)
  t.equal(stage.known[VM], 'FAILED -')
  t.same(stage.sink.take('route'), [`route add ${VM} eth1`, `route delete ${VM} eth1`])
  stage.ns(ETH0, many(1))
  t.same(answer(stage, many(1)), ['proxied'])
})

t.test('a proxy that is silent for the host as well is gone, which proves nothing', async (t) => {
  const stage = tested()
  stage.ns(ETH0, VM)
  t.same(answer(stage, VM), ['proxied'])
})

t.test('a proxy that came to be beside this machine loses its hosts', async (t) => {
  const stage = tested(VM)
  answer(stage, VM)
  stage.learn('2001:db8::3', VM3)
  stage.wait(28_000)
  stage.sink.take()
  t.same(answer(stage, VM), ['proof'], 'the host is verified, and the proxy tested')
  t.match(stage.probes(), [new RegExp(`^confirm eth1 ${PINNED}`), /^confirm eth1/])
  stage.na(ETH1, '2001:db8::3', VM3)
  play(stage, PINNED)
  t.equal(stage.known[VM], 'FAILED -')
  t.equal(stage.known['2001:db8::3'], 'REACHABLE eth1 routed', 'hosts of other link-layer addresses stay')
})

t.test('the address upstream is a pinned host, a gateway, an own address, or another owner', async (t) => {
  const first = (stage: Stage): string | undefined => {
    stage.ns(ETH0, VM)
    stage.sink.take()
    answer(stage, VM)
    return stage.probes().map((line) => line.split(' ')[2])[0]
  }
  const bare = [linkOf(ETH0), linkOf(ETH1)]
  t.equal(first(new Stage(PATIENT)), PINNED)
  const gateway = new Stage(UNPINNED)
  gateway.handle({ kind: 'gateways', gateways: [{ address: ip('fe80::1'), ifindex: ETH0 }, { address: ip('2001:db8::a'), ifindex: ETH0 }] })
  t.equal(first(gateway), '2001:db8::a')
  t.equal(first(new Stage(UNPINNED)), '2001:db8::ff')
  t.equal(first(new Stage(UNPINNED.replace('ttl', 'exclude 2001:db8::ff\n ttl'))), undefined, 'not one that we do not answer for')
  const known = new Stage(UNPINNED, bare)
  known.ns(ETH1, '2001:db8::b', { from: VM3, source: 'fe80::3' })
  known.na(ETH0, '2001:db8::b', ROUTER)
  t.equal(first(known), '2001:db8::b')
  const lost = new Stage(UNPINNED, bare)
  t.equal(first(lost), undefined, 'nothing is known upstream')
  lost.wait(500)
  t.same(answer(lost, VM), ['proxied'], 'so no proxy is trusted')
})

t.test('a host that claims the address of a host behind a proxy gets it when the proxy gives it up', async (t) => {
  const claimed = (): Stage => {
    const stage = tested(VM)
    answer(stage, VM)
    stage.wait(5000)
    stage.sink.take()
    stage.na(ETH1, VM, VM3, { to: 'ff02::1', flags: 'O' })
    stage.wait(2900)
    t.same(stage.probes(), [], 'the proxy gets time to look')
    stage.wait(100)
    t.same(stage.probes(), [`confirm eth1 ${VM} from fe80::ff:3 to ${PROXY}`])
    return stage
  }
  const thief = claimed()
  t.same(answer(thief, VM), ['proof'])
  t.same(thief.sink.take('conflict'), [`conflict ${VM} eth1 ${VM3} answered`])
  const moved = claimed()
  moved.wait(1500)
  t.equal(moved.na(ETH1, VM, VM3), 'proof')
  t.same(moved.saved, [`${VM} eth1 ${VM3}`])
})

t.test('DAD for the address of a host behind a proxy is refused', async (t) => {
  const stage = tested(VM)
  answer(stage, VM)
  stage.wait(5000)
  stage.sink.take()
  t.equal(stage.dad(ETH0, VM, VM3), 'probing')
  answer(stage, VM)
  t.match(stage.sink.take('advertise'), [/^advertise eth0 2001:db8::2 /])
})

t.test('a host that answers the kernel is no proxy, though its answers have O=0', async (t) => {
  const stage = new Stage(PATIENT)
  const answers = (): string | undefined => stage.na(ETH1, VM, VM2, { flags: 'S', tlla: '' })
  stage.ns(ETH0, VM)
  stage.sink.take()
  t.equal(answers(), 'proxied')
  stage.na(ETH1, VM, VM2)
  answers()
  stage.na(ETH1, VM, VM2, { flags: 'S' })
  stage.wait(100)
  t.same(stage.probes(), [], 'no test')
})

t.test('a flood of proxies costs a bounded memory, and a link that is gone none', async (t) => {
  const stage = new Stage(PATIENT)
  const used = (): number => stage.engine.limits(stage.now).find(({ name }) => name === 'other proxies on downstream links')!.used
  stage.ns(ETH0, VM)
  for (let n = 0; n < 200; n++) stage.na(ETH1, VM, nthMac(n), { flags: 'S' })
  t.equal(used(), 64)
  t.ok(stage.probes().length <= 2 * 64 + 1, 'so many tests at one time')
  stage.wait(1000)
  stage.ns(ETH0, many(1))
  t.equal(stage.na(ETH1, many(1), nthMac(300), { flags: 'S' }), 'proxied')
  t.equal(used(), 64)
  t.equal(stage.probes().filter((line) => line.endsWith(nthMac(300))).length, 2, 'a new one replaces an old one')
  stage.gone(ETH1)
  t.equal(used(), 0)
})
