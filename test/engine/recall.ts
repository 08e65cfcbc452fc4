/** What the engine remembers of its owners, and what it makes of that in its next life. */
import t from 'tap'
import { formatMac } from '../../src/address.ts'
import type { SavedHost } from '../../src/engine/types.ts'
import { ip, mac, na } from './kit/frames.ts'
import { ETH0, ETH1, ETH2, linkOf, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const VM = '2001:db8::2'
const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n ttl 30s\n deadtime 20s\n host')

/** What is remembered: `TARGET IFACE LLADDR`, with an R for a router. */

function remembered(stage: Stage): string[] {
  return [...stage.engine.memory].map(({ target, iface, mac, router }) =>
    `${target} ${iface} ${mac === undefined ? '-' : formatMac(mac)}${router ? ' R' : ''}`).sort()
}

function host(target: string, iface: string, from: string | undefined = VM2, router = false): SavedHost {
  return { target: ip(target), iface, mac: from === undefined ? undefined : mac(from), router }
}

t.test('what is worth remembering: the learned owners, with another revision for each change', async (t) => {
  const stage = new Stage(TIMED.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  let { revision } = stage.engine
  const changed = (what: () => void): string[] => {
    const before = remembered(stage)
    what()
    const after = remembered(stage)
    t.equal(stage.engine.revision > revision, after.join() !== before.join(), 'the revision says so')
    revision = stage.engine.revision
    return after
  }
  t.same(remembered(stage), [], 'not the pinned ones')
  t.same(changed(() => stage.ns(ETH0, VM)), [], 'nor who is asked for')
  t.same(changed(() => stage.na(ETH1, VM, VM2)), [`${VM} eth1 ${VM2}`])
  changed(() => stage.wait(29_600))
  changed(() => stage.na(ETH1, VM, VM2))
  changed(() => stage.wait(29_900))
  t.same(changed(() => stage.na(ETH1, VM, VM3)), [`${VM} eth1 ${VM3}`], 'another lladdr')
  changed(() => stage.wait(29_900))
  t.same(changed(() => stage.na(ETH2, VM, VM3)), [`${VM} eth2 ${VM3}`], 'another link')
  changed(() => stage.ns(ETH1, '2001:db8::a', { from: VM2, source: 'fe80::2' }))
  t.match(changed(() => stage.na(ETH0, '2001:db8::a', ROUTER)), [/./, `2001:db8::a eth0 ${ROUTER}`])
  changed(() => stage.wait(29_600))
  t.match(changed(() => stage.na(ETH0, '2001:db8::a', ROUTER, { flags: 'RSO' })), [/./, `2001:db8::a eth0 ${ROUTER} R`])
  changed(() => stage.wait(60_000))
  t.same(remembered(stage), [])
})

t.test('what was remembered is answered for at once, verified one after the other, and not announced', async (t) => {
  const stage = new Stage(TIMED.replace('announce no', 'announce yes').replace('host', 'exclude 2001:db8::7\n host'))
  stage.handle({ kind: 'memory', hosts: [host(VM, 'eth1'), host('2001:db8::3', 'eth1', VM3), host('2001:db8::7', 'eth1'),
    host('fd00::1', 'eth1'), host('2001:db8::1', 'eth1'), host('2001:db8::a', 'eth0', ROUTER, true)] })
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0', [VM]: 'PROBE eth1 routed', '2001:db8::3': 'PROBE eth1 routed',
    '2001:db8::a': 'PROBE eth0' }, 'as far as it fits')
  t.same(stage.sink.take('join', 'route', 'confirm').map((line) => line.replace(/ from .*/, '')), [`route add ${VM} eth1`,
    'route add 2001:db8::3 eth1', `confirm eth1 ${VM}`, 'join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3', 'join eth1 ff02::1:ff00:a'])
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.equal(stage.ns(ETH1, '2001:db8::a', { from: VM2, source: VM }), 'answered')
  t.same(remembered(stage), [`${VM} eth1 ${VM2}`, `2001:db8::3 eth1 ${VM3}`, `2001:db8::a eth0 ${ROUTER} R`])
  t.equal(stage.frame(ETH1, na({ target: '2001:db8::a', from: VM3 })), 'conflict', 'still a router')
  stage.sink.take()
  const began = stage.now
  const seen: number[] = []
  while (seen.length < 2) {
    stage.wait(stage.engine.deadline! - stage.now)
    seen.push(...stage.sink.take('confirm').map(() => stage.now - began))
  }
  t.same(seen, [0.5, 1])
  stage.na(ETH1, VM, VM2)
  stage.wait(400)
  t.match(stage.known, { [VM]: 'REACHABLE eth1 routed', '2001:db8::3': 'FAILED -' })
  t.same(stage.sink.take('advertise'), [])
})

t.test('hosts of links that are absent are asked for when these appear', async (t) => {
  const stage = new Stage(TIMED, [twoLinks()[0]])
  stage.handle({ kind: 'memory', hosts: [host(VM, 'eth1'), host('2001:db8::3', 'eth7')] })
  t.same(stage.known, { '2001:db8::1': 'REACHABLE eth0' })
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`])
})

t.test('what is remembered finds its limits, too', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'limit 2\n host'))
  stage.handle({ kind: 'memory', hosts: [2, 3, 4].map((n) => host(`2001:db8::${n}`, 'eth1')) })
  t.same(Object.keys(stage.known), ['2001:db8::1', VM, '2001:db8::3'])
  stage.configure(TIMED.replace('host', 'learn no\n host'))
  stage.handle({ kind: 'memory', hosts: [host(VM, 'eth1')] })
  t.same(Object.keys(stage.known), ['2001:db8::1'], 'learn no')
})

t.test('what was remembered where only a route led is heard there', async (t) => {
  const stage = new Stage('proxy eth0 { timeout 100\n rule 2001:db8::/64 { auto } }')
  stage.handle({ kind: 'memory', hosts: [host(VM, 'eth1')] })
  t.same(stage.sink.take('listen', 'join'), ['listen eth1', 'join eth0 ff02::1:ff00:2'])
})

t.test('a reload keeps what is remembered and not verified yet', async (t) => {
  const stage = new Stage(TIMED)
  stage.handle({ kind: 'memory', hosts: [host(VM, 'eth1')] })
  stage.configure(TIMED.replace('ttl 30s', 'ttl 20s'))
  t.equal(stage.known[VM], 'PROBE eth1 routed')
})
