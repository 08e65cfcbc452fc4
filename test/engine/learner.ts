/** Evidence starts a probe and nothing more (checklist L; product: who is answered). */
import t from 'tap'
import { na, ns } from './kit/frames.ts'
import { ETH0, ETH1, ETH2, linkOf, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const VM = '2001:db8::2'
const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n host')
const asks = (stage: Stage): string[] => stage.sink.take('solicit', 'confirm')

t.test('the source of a solicitation is evidence: asked there, and an owner after its proof', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.equal(stage.known[VM], 'INCOMPLETE -', 'not known by that')
  t.same(asks(stage), [`solicit eth1 ${VM}`], 'on its own link only')
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'before anybody asks for it')
  stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.same(asks(stage), [], 'known already')
  stage.ns(ETH0, '2001:db8::9', { from: VM3, source: '2001:db8::5' })
  t.match(asks(stage), [`solicit eth1 2001:db8::9`, `solicit eth0 2001:db8::5`], 'upstream, too')
})

t.test('an unsolicited NA is evidence (RFC 9131)', async (t) => {
  const stage = new Stage(TIMED)
  t.equal(stage.frame(ETH1, na({ target: VM, from: VM2 })), 'unsolicited')
  t.same(asks(stage), [`solicit eth1 ${VM}`])
})

t.test('DAD is evidence once its window has passed (L6)', async (t) => {
  const stage = new Stage(TIMED)
  stage.dad(ETH1, VM, VM2)
  t.same(asks(stage), [`solicit eth0 ${VM}`], 'whether somebody upstream has it')
  stage.wait(999)
  t.same(asks(stage).filter((line) => line.includes('eth1')), [])
  stage.wait(1)
  t.same(asks(stage), [`solicit eth1 ${VM}`])
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
})

t.test('nothing is learned outside of the rules (L7), nor of what is excluded, anycast or ours', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'exclude 2001:db8::7\n host'), [...twoLinks(), linkOf(ETH2)])
  for (const source of ['2001:db8:1::2', '2001:db8::7', 'fe80::2', '2001:db8::ff', '2001:db8::']) {
    stage.ns(ETH1, '2001:db8::1', { from: VM2, source })
    stage.frame(ETH1, na({ target: source, from: VM2 }))
  }
  stage.ns(ETH2, '2001:db8::1', { from: VM2, source: VM })
  stage.dad(ETH2, VM, VM2)
  stage.wait(1000)
  t.same(asks(stage), [])
  const stern = new Stage(TIMED.replace('host', 'learn no\n host'))
  stern.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.same(asks(stern), [], 'learn no')
})

t.test('a plain rule asks when it is asked; with autowire it learns', async (t) => {
  const rule = 'rule 2001:db8::/64 { iface eth1 } }'
  const plain = new Stage(`proxy eth0 { ${rule}`)
  plain.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.same(asks(plain), [])
  const wired = new Stage(`proxy eth0 { autowire yes\n ${rule}`)
  wired.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.same(asks(wired), [`solicit eth1 ${VM}`])
})

t.test('first come, first served: who claims an address is heard when its owner is silent (L5)', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.frame(ETH0, ns({ target: '2001:db8::9', from: VM3, source: VM }))
  t.match(asks(stage), [/^solicit/, `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`], 'the owner is asked')
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'and stays')
  stage.wait(600)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')

  stage.frame(ETH0, na({ target: VM, from: VM3 }))
  stage.wait(399)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.equal(stage.ns(ETH0, VM), 'answered', 'still')
  stage.sink.take()
  stage.wait(1)
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.same(stage.sink.take('solicit', 'route'), [`route delete ${VM} eth1`, `solicit eth0 ${VM}`], 'now the other is asked')
  stage.na(ETH0, VM, VM3)
  t.equal(stage.known[VM], 'REACHABLE eth0')
})

t.test('another host on the same link, too', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.frame(ETH1, na({ target: VM, from: VM3 }))
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  stage.frame(ETH1, na({ target: VM, from: VM3 }))
  stage.wait(300)
  t.equal(stage.na(ETH1, VM, VM3), 'proof', 'the owner did not answer at its own lladdr')
  stage.sink.take()
  stage.dad(ETH0, VM, ROUTER)
  t.same(asks(stage), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM3}`])
})

t.test('a pinned owner is never asked to give way', async (t) => {
  const stage = new Stage(TIMED)
  stage.frame(ETH1, na({ target: '2001:db8::1', from: VM3 }))
  stage.ns(ETH1, '2001:db8::ff', { from: VM3, source: '2001:db8::1' })
  stage.dad(ETH1, '2001:db8::1', VM3)
  stage.wait(60_000)
  t.same(asks(stage), [])
  t.equal(stage.known['2001:db8::1'], 'REACHABLE eth0')
})

t.test('an owner that moves to another link is found there', async (t) => {
  const stage = new Stage(TIMED.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  stage.learn(VM, VM2)
  t.equal(stage.dad(ETH2, VM, VM2), 'dad-own-mac')
  stage.wait(1400)
  t.same(asks(stage).pop(), `solicit eth2 ${VM}`)
  stage.na(ETH2, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
  t.equal(stage.sink.routes.get(VM)?.ifindex, ETH2)
})

t.test('addresses in DAD are remembered up to a limit', async (t) => {
  const stage = new Stage(TIMED.replace('timeout 100', 'timeout 10\n deadtime 0'))
  for (let n = 1; n <= 3000; n++) stage.dad(ETH1, `2001:db8::2:${n.toString(16)}`, VM2)
  stage.wait(900)
  stage.sink.take()
  stage.wait(100)
  t.equal(new Set(asks(stage)).size, 1024)
})
