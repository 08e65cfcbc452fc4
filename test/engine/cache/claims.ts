/** Which advertisement proves an owner, and which of two hosts that claim an address has it: the first, with two exceptions. */
import t from 'tap'
import { ETH0, ETH1, ETH2, ip, linkOf, mac, na, ns, ROUTER, Stage, PATIENT, twoDownstreams, twoLinks, VM, VM2, VM3 } from '../kit/stage.ts'

/** The router, which no `host` line names. */
const RT = '2001:db8::a'
const UNICAST = `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`

t.test('a proof is a solicited NA, on a link that is probed, while it is probed', async (t) => {
  const stage = new Stage(PATIENT)
  t.equal(stage.na(ETH1, '2001:db8::9', VM2, { to: 'fe80::ff:3' }), 'unsolicited', 'without a probe')
  stage.wait(25_000)
  stage.ns(ETH0, VM)
  t.equal(stage.frame(ETH1, new Uint8Array(10)), 'truncated')
  t.equal(stage.na(ETH1, VM, VM2, { to: 'ff02::1' }), 'unsolicited', 'S=0')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.equal(stage.na(ETH1, VM, VM2), 'unsolicited', 'once')
  const other = new Stage(PATIENT.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  other.ns(ETH2, VM, { from: VM3, source: 'fe80::3' })
  t.equal(other.na(ETH2, VM, VM2), 'unsolicited', 'on a link that is not probed')
  t.equal(other.known[VM], 'INCOMPLETE -')
  const proxy = new Stage('proxy eth0 { rule 2001:db8::/64 { iface eth1 } }')
  proxy.ns(ETH0, VM)
  t.equal(proxy.na(ETH1, VM, VM2, { flags: 'S' }), 'proof', 'O=0: a plain rule may lead to another proxy')
})

t.test('a group or zero in the option is no address of a host: the source of the frame counts', async (t) => {
  for (const tlla of ['33:33:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '03:bf:c0:00:02:01', '00:00:00:00:00:00']) {
    const stage = new Stage(PATIENT)
    stage.ns(ETH0, VM)
    t.equal(stage.na(ETH1, VM, VM2, { tlla }), 'proof', tlla)
    t.same(stage.saved, [`${VM} eth1 ${VM2}`])
    t.equal(stage.frame(ETH1, na({ target: VM, from: VM2, tlla })), 'unsolicited', 'no claim of another host')
    t.equal(stage.frame(ETH1, na({ target: VM, from: VM3, tlla })), 'conflict', 'a claim of the sender')
  }
})

t.test('another link-layer address counts only when the owner is silent at its own', async (t) => {
  const stage = new Stage(PATIENT)
  stage.learn(VM, VM2)
  stage.wait(28_000)
  t.equal(stage.na(ETH1, VM, VM3), 'conflict')
  stage.wait(1500)
  t.equal(stage.na(ETH0, VM, VM2), 'unsolicited', 'on another link, never')
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.equal(stage.na(ETH1, VM, VM3), 'proof', 'the group is solicited now')
  stage.sink.take()
  stage.wait(28_000)
  t.same(stage.sink.take('confirm'), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM3}`])
  t.same(stage.sink.routes.size, 1)
})

t.test('claims, however many, verify the owner every 250 ms at most', async (t) => {
  const stage = new Stage(PATIENT)
  stage.learn(VM, VM2)
  for (let ms = 0; ms < 2000; ms += 10) {
    t.equal(stage.frame(ETH1, na({ target: VM, from: VM3 })), 'conflict')
    if (stage.known[VM] === 'PROBE eth1 routed') stage.na(ETH1, VM, VM2)
    stage.wait(10)
  }
  t.equal(stage.probes().length, 8)
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
})

t.test('the owner answers: its rival is reported', async (t) => {
  const stage = twoDownstreams(PATIENT)
  stage.frame(ETH2, na({ target: VM, from: VM3 }))
  t.same(stage.sink.take(), [UNICAST, `neighbor ${VM} PROBE: claimed`])
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take(), [`conflict ${VM} eth2 ${VM3} answered`, `neighbor ${VM} REACHABLE: verified`])
})

t.test('another host elsewhere is probed after the owner was silent to all probes', async (t) => {
  const stage = twoDownstreams(PATIENT)
  stage.frame(ETH2, na({ target: VM, from: VM3 }))
  stage.wait(1000)
  t.same(stage.probes(), [UNICAST, UNICAST, UNICAST])
  t.equal(stage.na(ETH2, VM, VM3), 'conflict', 'not probed yet')
  stage.wait(999)
  t.equal(stage.na(ETH2, VM, VM3), 'conflict', 'the owner is solicited there now, but this host is not the owner')
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.sink.take()
  stage.wait(1)
  t.same(stage.sink.take('solicit', 'route'), [`route delete ${VM} eth1`, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM3), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
})

t.test('the same host elsewhere moves with its first answer there', async (t) => {
  const stage = twoDownstreams(PATIENT)
  stage.frame(ETH2, ns({ target: '2001:db8::1', from: VM2, source: VM }))
  t.match(stage.probes(), [UNICAST])
  t.equal(stage.na(ETH2, VM, VM2), 'unsolicited', 'that link is not probed yet')
  stage.wait(500)
  t.same(stage.probes(), [UNICAST, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM3), 'conflict', 'another host')
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
  t.same(stage.sink.take('conflict', 'route'), [`route add ${VM} eth2`], 'no packet is lost, no conflict is reported')
})

t.test('a silent move: an owner that is silent on its link is solicited on the other downstreams', async (t) => {
  const stage = twoDownstreams(PATIENT)
  stage.wait(27_000 + 1500)
  t.same(stage.probes().slice(3), [`solicit eth1 ${VM}`, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM3), 'conflict')
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
})

t.test('of two answers to one probe the one upstream counts, whichever comes first', async (t) => {
  const probed = (): Stage => {
    const stage = new Stage(PATIENT)
    stage.ns(ETH1, '2001:db8::ff', { from: VM3, source: VM })
    t.same(stage.probes(), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
    return stage
  }
  const late = probed()
  t.equal(late.na(ETH1, VM, VM3), 'proof')
  t.equal(late.na(ETH0, VM, ROUTER), 'proof')
  t.equal(late.known[VM], 'REACHABLE eth0')
  t.same(late.sink.take('conflict', 'route'), [`route add ${VM} eth1`, `conflict ${VM} eth1 ${VM3} answered`, `route delete ${VM} eth1`])

  const early = probed()
  t.equal(early.na(ETH0, VM, ROUTER), 'proof')
  t.equal(early.na(ETH1, VM, VM3), 'conflict')
  t.equal(early.known[VM], 'REACHABLE eth0')

  const over = probed()
  over.na(ETH1, VM, VM3)
  over.wait(1000)
  t.equal(over.na(ETH0, VM, ROUTER), 'conflict', 'the probe is too old')
  t.equal(over.known[VM], 'PROBE eth1 routed')
})

/** Says to the proxy upstream that the VM is here. */
const CLAIM = `confirm eth0 fe80::2 at ff02::1:ff00:2 from ${VM} to ${ROUTER}`

t.test('another proxy upstream (O=0) is told of a claim, and keeps the address if it answers', async (t) => {
  const proxied = (): Stage => {
    const stage = new Stage(PATIENT)
    stage.ns(ETH1, VM, { from: VM3, source: 'fe80::3' })
    t.equal(stage.na(ETH0, VM, ROUTER, { flags: 'S' }), 'proof')
    t.equal(stage.known[VM], 'REACHABLE eth0')
    stage.sink.take()
    return stage
  }
  const claimed = proxied()
  claimed.wait(1000)
  claimed.frame(ETH1, na({ target: VM, from: VM2 }))
  t.same(claimed.probes(), [CLAIM])
  claimed.wait(99)
  t.same(claimed.probes(), [])
  claimed.wait(1)
  t.same(claimed.probes(), [`confirm eth0 ${VM} from fe80::ff:2 to ${ROUTER}`], 'the host waits')
  t.equal(claimed.na(ETH1, VM, VM2, { flags: 'S' }), 'proxied')
  t.not(claimed.na(ETH1, VM, VM2), 'proof')
  t.equal(claimed.na(ETH0, VM, ROUTER, { flags: 'S' }), 'proof', 'the proxy has verified its host')
  t.not(claimed.na(ETH1, VM, VM2), 'proof')
  t.equal(claimed.known[VM], 'REACHABLE eth0')
  t.same(claimed.sink.take('conflict'), [], 'it may be the same host, on a link of both proxies')

  const silent = proxied()
  silent.wait(1000)
  silent.frame(ETH1, na({ target: VM, from: VM2 }))
  silent.wait(2100)
  t.same(silent.probes().at(-1), `solicit eth1 ${VM}`)
  t.equal(silent.na(ETH1, VM, VM2), 'proof', 'the proxy was silent')
  t.equal(silent.known[VM], 'REACHABLE eth1 routed')

  const hostFirst = new Stage(PATIENT)
  hostFirst.frame(ETH1, na({ target: VM, from: VM2 }))
  hostFirst.na(ETH1, VM, VM2)
  hostFirst.sink.take()
  t.equal(hostFirst.na(ETH0, VM, ROUTER, { flags: 'S' }), 'proof')
  t.same(hostFirst.probes(), [CLAIM])
  t.same(hostFirst.sink.take('conflict'), [], 'that is not decided')
  hostFirst.wait(2250)
  t.equal(hostFirst.na(ETH1, VM, VM2), 'proof')
  t.equal(hostFirst.known[VM], 'REACHABLE eth1 routed')

  const hasLost = proxied()
  hasLost.ns(ETH0, VM, { from: ROUTER })
  t.match(hasLost.probes(), [/^confirm eth0/, `solicit eth1 ${VM}`], 'a proxy that asks for the host itself has lost it')

  const real = proxied()
  real.frame(ETH0, na({ target: VM, from: VM3 }))
  real.wait(500)
  t.match(real.probes(), [/^confirm eth0/, `solicit eth1 ${VM}`], 'each verification solicits downstream as well')
  real.na(ETH0, VM, ROUTER)
  real.frame(ETH1, na({ target: VM, from: VM2 }))
  real.wait(250)
  t.same(real.probes().filter((line) => line.includes('eth1')), [], 'after an answer with O=1 the first host has it')
})

const GATEWAY = { kind: 'gateways', gateways: [{ address: ip(RT), ifindex: ETH0 }] } as const

t.test('a default gateway never loses its address to a host on another link, even if it is silent or was never seen', async (t) => {
  const stage = new Stage(PATIENT)
  stage.handle(GATEWAY)
  const conflict = `conflict ${RT} eth1 ${VM3} gateway`
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict', 'never seen')
  t.same(stage.sink.take(), [conflict], 'no probe')
  stage.ns(ETH1, RT, { from: VM2, source: 'fe80::2' })
  t.same(stage.probes(), [`solicit eth0 ${RT}`])
  t.equal(stage.na(ETH0, RT, ROUTER), 'proof')
  stage.wait(1000)
  stage.sink.take()
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict')
  t.same(stage.sink.take(), [conflict], 'no probe')

  stage.wait(29_000)
  t.equal(stage.known[RT], 'FAILED -')
  stage.sink.take()
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict')
  stage.kernel(RT, ETH1, VM3, 'reachable')
  t.same(stage.sink.take(), [conflict, conflict])
  t.equal(stage.ns(ETH1, RT, { from: VM2, source: 'fe80::2' }), 'probing')
  t.same(stage.probes(), [`solicit eth0 ${RT}`])
  t.equal(stage.na(ETH1, RT, VM3), 'conflict')

  stage.handle({ kind: 'gateways', gateways: [] })
  stage.wait(30_000)
  stage.sink.take()
  stage.frame(ETH1, na({ target: RT, from: VM3 }))
  t.equal(stage.na(ETH1, RT, VM3), 'proof', 'until the machine has another gateway')
  stage.handle(GATEWAY)
  t.equal(stage.known[RT], undefined, 'who has the address of a new gateway loses it')
  t.same(stage.sink.take('neighbor').at(-1), `neighbor ${RT} GONE: gateway`)
  stage.handle({ kind: 'saved-hosts', hosts: [{ target: ip(RT), iface: 'eth1', mac: mac(VM3), router: false }] })
  t.equal(stage.known[RT], undefined, 'also after a restart')
  stage.configure(PATIENT.replace('host', `host ${RT} eth1\n host`))
  t.equal(stage.known[RT], 'REACHABLE eth1 routed', 'the configuration may know better')
})

t.test('a default gateway may be on several links', async (t) => {
  const stage = twoDownstreams(PATIENT)
  stage.handle({ kind: 'gateways', gateways: [ETH0, ETH2].map((ifindex) => ({ address: ip(RT), ifindex })) })
  t.equal(stage.frame(ETH1, na({ target: RT, from: VM3 })), 'conflict')
  stage.frame(ETH2, na({ target: RT, from: VM3 }))
  t.equal(stage.na(ETH2, RT, VM3), 'proof')
  t.equal(stage.known[RT], 'REACHABLE eth2 routed')
})

t.test('the router flag is no right to an address: a host that moved downstream is found at once', async (t) => {
  const stage = new Stage(PATIENT)
  stage.ns(ETH1, RT, { from: VM2, source: 'fe80::2' })
  t.equal(stage.na(ETH0, RT, ROUTER, { flags: 'RSO' }), 'proof')
  stage.wait(1000)
  stage.sink.take()
  stage.frame(ETH1, na({ target: RT, from: ROUTER }))
  stage.wait(2000)
  t.same(stage.sink.take('conflict'), [], 'nobody answered, and nothing else is reported')
  t.equal(stage.na(ETH1, RT, ROUTER), 'proof')
  t.equal(stage.known[RT], 'REACHABLE eth1 routed')

  const silent = new Stage(PATIENT)
  silent.ns(ETH1, RT, { from: VM2, source: 'fe80::2' })
  silent.na(ETH0, RT, ROUTER, { flags: 'RSO' })
  silent.wait(30_000)
  t.equal(silent.known[RT], 'FAILED -')
  t.equal(silent.frame(ETH1, na({ target: RT, from: VM3 })), 'unsolicited')
  t.equal(silent.na(ETH1, RT, VM3), 'proof', 'also of a router that was silent before')
})

t.test('an owner that is pinned during a probe: a later answer from elsewhere does not count', async (t) => {
  const stage = new Stage(PATIENT)
  stage.frame(ETH1, na({ target: VM, from: VM2 }))
  stage.configure(PATIENT.replace('host', `host ${VM} eth1\n host`))
  stage.na(ETH0, VM, ROUTER)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.configure(PATIENT)
  stage.frame(ETH1, na({ target: VM, from: VM2 }))
  stage.na(ETH1, VM, VM2)
  stage.configure(PATIENT.replace('host', `host ${VM} eth1\n host`))
  stage.na(ETH0, VM, ROUTER)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'nor does a second answer')
})
