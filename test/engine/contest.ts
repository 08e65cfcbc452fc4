/** Who has an address that two claim: first come, first served, but for other proxies and for routers (checklist L5, G6). */
import t from 'tap'
import { na, ns } from './kit/frames.ts'
import { ETH0, ETH1, ETH2, linkOf, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const VM = '2001:db8::2'
/** The router, where the file does not name it. */
const RT = '2001:db8::a'
const TIMED = SUBNET.replace('host', 'timeout 500\n retries 3\n ttl 30s\n deadtime 20s\n host')
const UNICAST = `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`

/** Two downstreams, and VM2's address known on eth1. */
function twoDownstreams(): Stage {
  const stage = new Stage(TIMED.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  stage.learn(VM, VM2)
  stage.wait(1000)
  return stage
}

const asks = (stage: Stage): string[] => stage.sink.take('solicit', 'confirm')

t.test('claims, however many, make the owner be asked every 250 ms at most', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  for (let ms = 0; ms < 2000; ms += 10) {
    t.equal(stage.frame(ETH1, na({ target: VM, from: VM3 })), 'conflict')
    if (stage.known[VM] === 'PROBE eth1 routed') stage.na(ETH1, VM, VM2)
    stage.wait(10)
  }
  t.equal(asks(stage).length, 8)
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
})

t.test('the owner answers: its rival is told of', async (t) => {
  const stage = twoDownstreams()
  stage.frame(ETH2, na({ target: VM, from: VM3 }))
  t.same(stage.sink.take(), [`neighbor ${VM} PROBE: claimed`, UNICAST])
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take(), [`conflict ${VM} eth2 ${VM3}`, `neighbor ${VM} REACHABLE: verified`])
})

t.test('another host elsewhere: asked when the owner was silent to all probes', async (t) => {
  const stage = twoDownstreams()
  stage.frame(ETH2, na({ target: VM, from: VM3 }))
  stage.wait(1000)
  t.same(asks(stage), [UNICAST, UNICAST, UNICAST])
  t.equal(stage.na(ETH2, VM, VM3), 'conflict', 'not asked yet')
  stage.wait(999)
  t.equal(stage.na(ETH2, VM, VM3), 'conflict', 'nor when the owner is looked for everywhere: it is not the owner')
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.sink.take()
  stage.wait(1)
  t.same(stage.sink.take('solicit', 'route'), [`route delete ${VM} eth1`, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM3), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
})

t.test('the same host elsewhere moves with its first answer there', async (t) => {
  const stage = twoDownstreams()
  stage.frame(ETH2, ns({ target: '2001:db8::1', from: VM2, source: VM }))
  t.match(asks(stage), [UNICAST])
  t.equal(stage.na(ETH2, VM, VM2), 'unsolicited', 'it is not asked there yet')
  stage.wait(500)
  t.same(asks(stage), [UNICAST, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM3), 'conflict', 'but nobody else')
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
  t.same(stage.sink.take('conflict', 'route'), [`route add ${VM} eth2`], 'no packet is lost, nothing is complained of')
})

t.test('a silent move: the owner is looked for on the other downstreams when its own is silent', async (t) => {
  const stage = twoDownstreams()
  stage.wait(27_000 + 1500)
  t.same(asks(stage).slice(3), [`solicit eth1 ${VM}`, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM3), 'conflict')
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
})

t.test('of two answers to one question the one upstream counts, whichever comes first', async (t) => {
  const ask = (): Stage => {
    const stage = new Stage(TIMED)
    stage.ns(ETH1, '2001:db8::ff', { from: VM3, source: VM })
    t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
    return stage
  }
  const late = ask()
  t.equal(late.na(ETH1, VM, VM3), 'proof')
  t.equal(late.na(ETH0, VM, ROUTER), 'proof')
  t.equal(late.known[VM], 'REACHABLE eth0')
  t.same(late.sink.take('conflict', 'route'), [`route add ${VM} eth1`, `conflict ${VM} eth1 ${VM3}`, `route delete ${VM} eth1`])

  const early = ask()
  t.equal(early.na(ETH0, VM, ROUTER), 'proof')
  t.equal(early.na(ETH1, VM, VM3), 'conflict')
  t.equal(early.known[VM], 'REACHABLE eth0')

  const over = ask()
  over.na(ETH1, VM, VM3)
  over.wait(1000)
  t.equal(over.na(ETH0, VM, ROUTER), 'conflict', 'that answers no question')
  t.equal(over.known[VM], 'PROBE eth1 routed')
})

t.test('another proxy\'s word upstream (O=0) gives way to a host', async (t) => {
  const proxied = (): Stage => {
    const stage = new Stage(TIMED)
    stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' })
    t.equal(stage.na(ETH0, VM, ROUTER, { flags: 'S' }), 'proof')
    t.equal(stage.known[VM], 'REACHABLE eth0')
    stage.sink.take()
    return stage
  }
  const claimed = proxied()
  claimed.wait(1000)
  claimed.frame(ETH1, na({ target: VM, from: VM2 }))
  t.same(asks(claimed), [`confirm eth0 ${VM} from fe80::ff:2 to ${ROUTER}`, `solicit eth1 ${VM}`])
  t.equal(claimed.na(ETH0, VM, ROUTER, { flags: 'S' }), 'proof', 'the proxy is still there')
  t.equal(claimed.na(ETH1, VM, VM2, { flags: 'S' }), 'proxied')
  t.equal(claimed.na(ETH1, VM, VM2), 'proof', 'but so is the host')
  t.equal(claimed.known[VM], 'REACHABLE eth1 routed')
  t.same(claimed.sink.take('conflict'), [], 'and both are right')

  const asked = new Stage(TIMED)
  asked.frame(ETH1, na({ target: VM, from: VM2 }))
  asked.na(ETH1, VM, VM2)
  t.equal(asked.na(ETH0, VM, ROUTER, { flags: 'S' }), 'proxied')
  t.equal(asked.known[VM], 'REACHABLE eth1 routed')

  const real = proxied()
  real.frame(ETH0, na({ target: VM, from: VM3 }))
  real.wait(500)
  t.match(asks(real), [/^confirm eth0/, `solicit eth1 ${VM}`], 'whenever it is verified, hosts are asked, too')
  real.na(ETH0, VM, ROUTER)
  real.frame(ETH1, na({ target: VM, from: VM2 }))
  real.wait(250)
  t.same(asks(real).filter((line) => line.includes('eth1')), [], 'it said O=1 now: first come, first served')
})

t.test('a router upstream is never displaced by a host downstream, not even when it is silent', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH1, RT, { from: VM2, source: 'fe80::2' })
  t.equal(stage.na(ETH0, RT, ROUTER, { flags: 'RSO' }), 'proof')
  stage.wait(1000)
  stage.sink.take()
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict')
  t.same(stage.sink.take(), [`conflict ${RT} eth1 ${VM3}`], 'it is not even asked')

  stage.wait(29_000)
  t.equal(stage.known[RT], 'FAILED -')
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict')
  stage.dad(ETH1, RT, VM3)
  stage.wait(30_000)
  t.equal(stage.known[RT], 'FAILED -', 'its name is remembered')
  stage.sink.take()
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict')
  stage.kernel(RT, ETH1, VM3, 'reachable')
  t.equal(stage.ns(ETH0, RT), 'failed', 'for those upstream there is nobody to ask')
  t.same(stage.sink.take(), [`conflict ${RT} eth1 ${VM3}`, `conflict ${RT} eth1 ${VM3}`])
  t.equal(stage.ns(ETH1, RT, { from: VM2, source: 'fe80::2' }), 'probing', 'those downstream may ask again')
  t.same(asks(stage), [`solicit eth0 ${RT}`])
  t.equal(stage.na(ETH1, RT, VM3), 'conflict')
  stage.wait(3_600_000)
  t.equal(stage.known[RT], undefined, 'after an hour it is nobody\'s')
  stage.frame(ETH1, na({ target: RT, from: VM3 }))
  t.equal(stage.na(ETH1, RT, VM3), 'proof')
})

t.test('a router that comes back upstream is one again, or a host', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH1, RT, { from: VM2, source: 'fe80::2' })
  stage.na(ETH0, RT, ROUTER, { flags: 'RSO' })
  stage.wait(60_000)
  stage.frame(ETH0, na({ target: RT, from: ROUTER }))
  t.equal(stage.na(ETH0, RT, ROUTER, { flags: 'SO' }), 'proof')
  stage.wait(1000)
  stage.frame(ETH1, na({ target: RT, from: VM3 }))
  t.equal(stage.known[RT], 'PROBE eth0', 'a host may be asked')

  const inside = new Stage(TIMED)
  inside.ns(ETH0, VM)
  inside.na(ETH1, VM, VM2, { flags: 'RSO' })
  inside.wait(1000)
  inside.frame(ETH1, na({ target: VM, from: VM3 }))
  t.equal(inside.known[VM], 'PROBE eth1 routed', 'downstream R says nothing')
})

t.test('pinned while it was asked for: an answer from elsewhere comes too late', async (t) => {
  const stage = new Stage(TIMED)
  stage.frame(ETH1, na({ target: VM, from: VM2 }))
  stage.configure(TIMED.replace('host', `host ${VM} eth1\n host`))
  stage.na(ETH0, VM, ROUTER)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.configure(TIMED)
  stage.frame(ETH1, na({ target: VM, from: VM2 }))
  stage.na(ETH1, VM, VM2)
  stage.configure(TIMED.replace('host', `host ${VM} eth1\n host`))
  stage.na(ETH0, VM, ROUTER)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'nor does a second answer count')
})
