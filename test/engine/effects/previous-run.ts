/** Routes and hosts of the previous run. */
import t from 'tap'
import type { SavedHost } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ETH2, ip, linkOf, mac, ROUTER, Stage, TIMED, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

function host(target: string, iface: string, from: string | undefined = VM2, router = false): SavedHost {
  return { target: ip(target), iface, mac: from === undefined ? undefined : mac(from), router }
}

function restore(stage: Stage, ...hosts: readonly SavedHost[]): void { stage.handle({ kind: 'saved-hosts', hosts }) }

t.test('saved hosts are answered for at once, verified, and not announced', async (t) => {
  const stage = new Stage(TIMED.replace('announce no', 'announce yes').replace('host', 'exclude 2001:db8::7\n host'))
  restore(stage, host(VM, 'eth1'), host('2001:db8::3', 'eth1', VM3), host('2001:db8::7', 'eth1'), host('fd00::1', 'eth1'),
    host('2001:db8::1', 'eth1'), host('2001:db8::a', 'eth0', ROUTER, true))
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'PROBE eth1 routed', '2001:db8::3': 'PROBE eth1 routed',
    '2001:db8::a': 'PROBE eth0' }, 'as far as the rules allow')
  t.same(stage.sink.take('join', 'route', 'confirm').map((line) => line.replace(/ from .*/, '')), [`route add ${VM} eth1`,
    'route add 2001:db8::3 eth1', `confirm eth1 ${VM}`, 'confirm eth1 2001:db8::3', 'confirm eth0 2001:db8::a', 'join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3', 'join eth1 ff02::1:ff00:a'])
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.equal(stage.ns(ETH1, '2001:db8::a', { from: VM2, source: VM }), 'answered')
  t.same(stage.saved, [`${VM} eth1 ${VM2}`, `2001:db8::3 eth1 ${VM3}`, `2001:db8::a eth0 ${ROUTER} R`])
  stage.sink.take()
  stage.na(ETH1, VM, VM2)
  stage.wait(400)
  t.match(stage.known, { [VM]: 'REACHABLE eth1 routed', '2001:db8::3': 'FAILED -' })
  t.same(stage.sink.take('advertise'), [])
})

t.test('hosts of links that do not exist are probed when the links appear', async (t) => {
  const stage = new Stage(TIMED, [twoLinks()[0]])
  restore(stage, host(VM, 'eth1'), host('2001:db8::3', 'eth7'))
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0' })
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`])
})

t.test('the limits hold for saved hosts', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'limit 2\n host'))
  restore(stage, ...[2, 3, 4].map((n) => host(`2001:db8::${n}`, 'eth1')))
  t.same(Object.keys(stage.known), ['2001:db8::1', VM, '2001:db8::3'])
  stage.configure(TIMED.replace('host', 'learn no\n host'))
  restore(stage, host(VM, 'eth1'))
  t.same(Object.keys(stage.known), ['2001:db8::1'], 'learn no')
})

t.test('a link where only a route of the kernel led is listened to for its saved hosts', async (t) => {
  const stage = new Stage('proxy eth0 { timeout 100\n rule 2001:db8::/64 { auto } }')
  restore(stage, host(VM, 'eth1'))
  t.same(stage.sink.take('listen', 'join'), ['listen eth1', 'join eth0 ff02::1:ff00:2'])
})

t.test('a reload keeps saved hosts that are not verified yet', async (t) => {
  const stage = new Stage(TIMED)
  restore(stage, host(VM, 'eth1'))
  stage.configure(TIMED.replace('ttl 30s', 'ttl 20s'))
  t.equal(stage.known[VM], 'PROBE eth1 routed')
})

t.test('a route of the previous run stays, except beside a route of another program', async (t) => {
  const stage = new Stage(TIMED)
  stage.handle({ kind: 'saved-hosts', hosts: [host(VM, 'eth1'), host('2001:db8::a', 'eth0', ROUTER, true)] })
  stage.routes([VM, ETH1], ['2001:db8::3', ETH1])
  stage.wait(100)
  t.same(stage.sink.take('route', 'hide'), [`route add ${VM} eth1`], 'the kernel has it')
  stage.foreign(`${VM}/128`, ETH1)
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
})

t.test('the routes to saved hosts are looked up, whether these or the routes of the previous run come first', async (t) => {
  for (const isLate of [false, true]) {
    const stage = new Stage(TIMED)
    if (isLate) stage.routes()
    restore(stage, host(VM, 'eth1'))
    if (!isLate) stage.routes()
    stage.wait(100)
    t.same(stage.sink.take('hide'), [`hide ${VM} eth1`])
  }
})

t.test('the kernel replies with the route of the previous run until that is known: a pinned host keeps it', async (t) => {
  const text = TIMED.replace('host', `host ${VM} eth1\n host`)
  const start = (ifindex: number): Stage => {
    const stage = new Stage(text, [])
    stage.sink.routes.set(VM, { target: ip(VM), ifindex })
    for (const link of [...twoLinks(), linkOf(ETH2)]) stage.link(link)
    stage.sink.take()
    stage.routes([VM, ifindex])
    stage.wait(100)
    return stage
  }
  const same = start(ETH1)
  t.equal(same.known[VM], 'REACHABLE eth1 routed')
  t.same(same.sink.take('route'), [])
  t.equal(same.ns(ETH0, VM), 'answered')
  const other = start(ETH2)
  t.equal(other.known[VM], 'REACHABLE eth1 routed', 'also one that was pinned to another link')
  t.same(other.sink.take('route').slice(0, 1), [`route add ${VM} eth1`])
  t.equal(other.ns(ETH0, VM), 'answered')
})
