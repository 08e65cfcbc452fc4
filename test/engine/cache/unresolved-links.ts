/** Links with Ethernet addresses on which the kernel resolves no neighbors (IFF_NOARP). */
import t from 'tap'
import { ETH0, ETH1, linkOf, na, own, PATIENT, ROUTER, Stage, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

/** Tells another proxy of a claim. */
const CLAIM = `confirm eth0 fe80::2 at ff02::1:ff00:2 from ${VM} to ${ROUTER}`

t.test('an answer with O=0 and without option is from the host: each probe goes to its address', async (t) => {
  const answer = { flags: 'S', tlla: '', to: 'fe80::ff:3' }
  const resolved = new Stage(PATIENT)
  resolved.ns(ETH0, VM)
  t.equal(resolved.na(ETH1, VM, VM2, answer), 'proxied', 'with resolution, another proxy')
  const stage = new Stage(PATIENT, [twoLinks()[0], linkOf(ETH1, { noarp: true })])
  stage.ns(ETH0, VM)
  t.equal(stage.na(ETH1, VM, VM2, answer), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.wait(28_000)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.equal(stage.na(ETH1, VM, VM2, answer), 'proof', 'when it is verified')
  stage.wait(28_000)
  t.equal(stage.na(ETH1, VM, VM3, answer), 'conflict', 'another link-layer address waits until the owner was silent')
})

t.test('an owner upstream that answers with O=0 is no proxy', async (t) => {
  const [, eth1] = twoLinks()
  const stage = new Stage(PATIENT, [linkOf(ETH0, { noarp: true, addresses: [own('fe80::ff:2'), own('2001:db8::ff')] }), eth1])
  stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' })
  t.equal(stage.na(ETH0, VM, ROUTER, { flags: 'S', tlla: '' }), 'proof')
  stage.sink.take()
  stage.wait(1000)
  stage.frame(ETH1, na({ target: VM, from: VM2 }))
  t.same(stage.probes().filter((line) => line === CLAIM), [], 'it need not be told of claims')
})
