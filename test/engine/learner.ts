/** Evidence starts a probe and nothing more (checklist L; product: who is answered). */
import t from 'tap'
import type { Link } from '../../src/engine/types.ts'
import { ip, mac, na, ns, nthMac } from './kit/frames.ts'
import { ETH0, ETH1, ETH2, linkOf, LO, own, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3 } from './kit/stage.ts'

const VM = '2001:db8::2'
const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n host')
const asks = (stage: Stage): string[] => stage.sink.take('solicit', 'confirm')

/** Two downstreams, and VM2's address known on eth1, for a second. */
function twoDownstreams(): Stage {
  const stage = new Stage(TIMED.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  stage.learn(VM, VM2)
  stage.wait(1000)
  return stage
}

/** A host of its own for each number. */

t.test('the source of a solicitation is evidence: asked there and upstream, and an owner after its proof', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.equal(stage.known[VM], 'INCOMPLETE -', 'not known by that')
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`], 'is it perhaps somebody\'s there?')
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'before anybody asks for it')
  stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  t.same(asks(stage), [], 'known already')
  stage.ns(ETH0, '2001:db8::9', { from: VM3, source: '2001:db8::5' })
  t.same(asks(stage), [`solicit eth1 2001:db8::9`, `solicit eth0 2001:db8::5`], 'what is upstream is asked there')
})

t.test('an unsolicited NA is evidence (RFC 9131)', async (t) => {
  const stage = new Stage(TIMED)
  t.equal(stage.frame(ETH1, na({ target: VM, from: VM2 })), 'unsolicited')
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  stage.link(linkOf(ETH0, { up: false }))
  stage.frame(ETH1, na({ target: '2001:db8::3', from: VM2 }))
  t.same(asks(stage), ['solicit eth1 2001:db8::3'], 'with the upstream down there is nobody else to ask')
})

t.test('DAD is evidence once its window has passed (L6)', async (t) => {
  const stage = new Stage(TIMED)
  stage.dad(ETH1, VM, VM2)
  t.same(asks(stage), [`solicit eth0 ${VM}`], 'whether somebody upstream has it')
  stage.wait(1099)
  t.same(asks(stage).filter((line) => line.includes('eth1')), [])
  stage.wait(1)
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
})

t.test('a sign of life of who did not answer until now: it is asked at once, though not as often as it likes', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH0, VM)
  t.same(asks(stage), [`solicit eth1 ${VM}`])
  stage.frame(ETH1, na({ target: VM, from: VM2 }))
  t.same(asks(stage), [`solicit eth0 ${VM}`], 'asked just now')
  stage.wait(60)
  for (let i = 0; i < 5; i++) stage.frame(ETH1, na({ target: VM, from: VM2 }))
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('advertise').length, 1, 'who waits is answered')
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
  t.same(asks(wired), [`solicit eth1 ${VM}`], 'there is no upstream to ask')
})

t.test('first come, first served: who claims an address is heard when its owner is silent (L5)', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.wait(1000)
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
  stage.wait(1000)
  stage.frame(ETH1, na({ target: VM, from: VM3 }))
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  stage.frame(ETH1, na({ target: VM, from: VM3 }))
  stage.wait(250 + 300)
  t.equal(stage.na(ETH1, VM, VM3), 'proof', 'the owner did not answer at its own lladdr')
  stage.wait(1000)
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

/** Hosts in DAD that are asked for when it is over. @param hosts the number of link-layer addresses that they share */
function tentative(count: number, hosts: number, config: string): number {
  const stage = new Stage(config.replace('timeout 100', 'timeout 10\n deadtime 0'))
  for (let n = 1; n <= count; n++) stage.dad(ETH1, `2001:db8::2:${n.toString(16)}`, nthMac(n % hosts))
  stage.wait(1000)
  stage.sink.take()
  // The end of the window, and a turn for each.
  stage.wait(100 + 1024 / 4)
  return new Set(stage.sink.take('solicit eth1')).size
}

t.test('addresses in DAD are remembered up to a limit, in all and for each host', async (t) => {
  t.equal(tentative(3000, 3000, TIMED), 1024)
  t.equal(tentative(100, 1, TIMED.replace('host', 'host-limit 10\n host')), 10)
  t.equal(tentative(100, 4, TIMED.replace('host', 'host-limit 10\n host')), 40)
})

t.test('addresses in DAD: those that are over make room', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 1\n host'))
  for (const at of [0, 600, 1200, 1800]) {
    stage.dad(ETH1, `2001:db8::3:${at}`, VM2)
    stage.wait(600)
  }
  stage.wait(1000)
  t.same([...new Set(stage.sink.take('solicit eth1'))], ['solicit eth1 2001:db8::3:0', 'solicit eth1 2001:db8::3:1200'])
})

t.test('a host with as many addresses as it may have is not asked for more', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 2\n host'))
  stage.learn('2001:db8::3', VM2)
  stage.learn('2001:db8::4', VM2)
  stage.frame(ETH1, na({ target: '2001:db8::5', from: VM2 }))
  t.same(stage.sink.take(), ['limit host 2'])
  stage.frame(ETH1, na({ target: '2001:db8::5', from: VM3 }))
  t.same(asks(stage).length, 2, 'another host is')
  for (const n of [1, 2, 3]) stage.frame(ETH0, na({ target: `2001:db8::7:${n}`, from: nthMac(7) }))
  t.same(asks(stage).length, 2, 'upstream there may be other people\'s machines: no more of them either')
  stage.wait(1000)
  for (const n of [1, 2, 3]) stage.frame(ETH1, na({ target: `2001:db8::8:${n}`, from: ROUTER }))
  t.same(stage.sink.take('limit'), ['limit host 2'], 'nor are there more questions on its account')
})

t.test('links without link-layer addresses: hosts are not counted as one, nor blamed', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 2\n host').replace('eth1', 'eth1 eth2'),
    [twoLinks()[0], linkOf(ETH1, { mac: undefined }), linkOf(ETH2)])
  for (const n of [1, 2, 3]) {
    stage.frame(ETH1, ns({ target: '2001:db8::1', from: VM2, source: `2001:db8::3:${n}`, slla: false }), true)
    stage.frame(ETH1, na({ target: `2001:db8::4:${n}`, from: VM2, tlla: '' }), true)
    stage.frame(ETH1, ns({ target: `2001:db8::5:${n}`, from: VM2, source: '2001:db8::3:1', slla: false }), true)
    stage.frame(ETH1, ns({ target: `2001:db8::6:${n}`, from: VM2, source: '::' }), true)
  }
  stage.wait(1100)
  const found = new Set(stage.sink.take('solicit eth', 'limit'))
  for (const n of [1, 2, 3]) {
    for (const part of [3, 4, 6]) t.ok(found.has(`solicit eth1 2001:db8::${part}:${n}`), `${part}:${n}`)
    t.ok(found.has(`solicit eth0 2001:db8::5:${n}`), `asked for: ${n}`)
  }
  t.notOk([...found].some((line) => line.startsWith('limit')))
  stage.learn(VM, VM2, ETH2)
  stage.wait(1000)
  stage.frame(ETH1, na({ target: VM, from: VM2, tlla: '' }), true)
  stage.na(ETH2, VM, VM2)
  t.same(stage.sink.take('conflict'), [])
})

t.test('the kernel\'s word on an owner: reached, or lost', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'ttl 30s\n host'))
  stage.learn(VM, VM2)
  stage.wait(20_000)
  stage.kernel(VM, ETH1, VM2, 'reachable')
  stage.wait(29_000)
  t.same(asks(stage), [], 'as good as an answer to us')
  stage.kernel(VM, ETH1, VM2, 'known')
  stage.kernel(VM, ETH1, undefined, 'known')
  t.same(asks(stage), [])
  stage.wait(600)
  t.equal(asks(stage).length, 1, 'that says nothing')
  stage.na(ETH1, VM, VM2)
  stage.kernel(VM, ETH1, undefined, 'failed')
  t.same(asks(stage), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`])
  stage.kernel(VM, ETH1, VM2, 'reachable')
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'found again')
  stage.kernel(VM, ETH0, undefined, 'failed')
  t.same(asks(stage), [], 'where nobody expects it')
  stage.wait(1000)
  stage.kernel(VM, ETH1, VM3, 'reachable')
  t.same(asks(stage), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`], 'another host: the owner is asked')
  stage.kernel(VM, ETH1, VM2, 'reachable')
  t.equal(stage.known[VM], 'PROBE eth1 routed', 'while it is contested, only its own answer counts')
})

t.test('the kernel\'s word on a stranger is evidence; upstream only on a router', async (t) => {
  const stage = new Stage(TIMED)
  stage.kernel(VM, ETH1, undefined, 'failed')
  stage.kernel(VM, ETH1, undefined, 'known')
  stage.kernel('2001:db8:1::2', ETH1, VM2, 'reachable')
  stage.kernel(VM, ETH2, VM2, 'reachable')
  stage.kernel(VM, ETH0, VM2, 'reachable')
  t.same(asks(stage), [], 'what is upstream may be another proxy\'s')
  stage.kernel(VM, ETH1, VM2, 'known')
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  t.equal(stage.known[VM], 'INCOMPLETE -')
  stage.kernel('2001:db8::9', ETH0, ROUTER, 'known', true)
  t.same(asks(stage), ['solicit eth0 2001:db8::9'])
  stage.na(ETH1, VM, VM2)
  stage.wait(1000)
  stage.kernel(VM, ETH0, ROUTER, 'reachable')
  t.equal(stage.known[VM], 'REACHABLE eth1 routed', 'no claim either')
})

t.test('a bridge that lost sight of a host: everybody is asked, at once, and not for long', async (t) => {
  const stage = twoDownstreams()
  stage.station(ETH2, VM2, false)
  t.same(asks(stage), [], 'it was not there')
  stage.station(ETH1, VM2, false)
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth2 ${VM}`])
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed')
  stage.station(ETH2, VM2, false)
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth2 routed', 'it had only been silent')
  stage.station(ETH2, VM2, false)
  stage.kernel(VM, ETH2, VM2, 'reachable')
  stage.wait(199)
  t.equal(stage.known[VM], 'PROBE eth2 routed', 'the kernel\'s word is older than that')
  stage.wait(1)
  t.equal(stage.known[VM], 'FAILED -')
})

t.test('a bridge that sees a host elsewhere: it moves with its first answer there, and nobody is blamed', async (t) => {
  const stage = twoDownstreams()
  stage.learn('2001:db8::3', VM2)
  stage.learn('2001:db8::4', VM3)
  stage.wait(1000)
  stage.station(ETH1, VM2, true)
  t.same(asks(stage), [], 'nothing new')
  stage.station(ETH2, VM2, true)
  t.same(asks(stage).sort(), [VM, '2001:db8::3'].map((target) => `confirm eth1 ${target} from fe80::ff:3 to ${VM2}`),
    'all that it has')
  stage.wait(100)
  t.same(stage.sink.take('solicit').sort(), [`solicit eth2 ${VM}`, 'solicit eth2 2001:db8::3'])
  t.equal(stage.na(ETH2, VM, VM2), 'proof')
  t.equal(stage.na(ETH1, '2001:db8::3', VM2), 'proof')
  t.match(stage.known, { [VM]: 'REACHABLE eth2 routed', '2001:db8::3': 'REACHABLE eth1 routed' })
  t.same(stage.sink.take('conflict'), [])
  stage.station(9, VM2, true)
  t.same(asks(stage), [], 'not a link of its rule')
})

t.test('an answer to a discovery is evidence', async (t) => {
  const stage = new Stage(TIMED)
  stage.handle({ kind: 'echo', ifindex: ETH1, source: ip(VM), mac: mac(VM2) })
  t.same(asks(stage), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  stage.handle({ kind: 'echo', ifindex: ETH1, source: ip('2001:db8::3'), mac: undefined })
  t.same(asks(stage), ['solicit eth1 2001:db8::3', 'solicit eth0 2001:db8::3'])
  stage.handle({ kind: 'echo', ifindex: ETH1, source: ip('fe80::2'), mac: mac(VM2) })
  t.same(asks(stage), [])
})

t.test('those who are asked to show themselves are told where to answer', async (t) => {
  const told = (config: string, links?: readonly Link[]): string[] => {
    const stage = new Stage(config, links)
    stage.configure(config)
    stage.wait(0)
    return stage.sink.take('discover', 'advertise')
  }
  t.same(told(TIMED), ['discover eth1 from 2001:db8::ff', 'advertise eth1 2001:db8::ff R from fe80::ff:3 to ff02::1 33:33:00:00:00:01'])
  t.same(told(TIMED.replace('host', 'exclude 2001:db8::ff\n host')), ['discover eth1 from 2001:db8::ff'], 'unless we may not')
  const bare = [linkOf(ETH0, { addresses: [own('fe80::ff:2')] }), linkOf(ETH1)]
  t.same(told(TIMED, bare), ['discover eth1 from fe80::ff:3'], 'the kernel answers for that')
})

/** The discoveries that a config causes, with their times. */
function discoveries(config: string, links: readonly Link[] = twoLinks(), then: (stage: Stage) => void = () => {}): string[] {
  const stage = new Stage(config, links)
  then(stage)
  const began = stage.now
  const lines: string[] = []
  for (let ms = 0; ms < 5000; ms += 100) {
    lines.push(...stage.sink.take('discover').map((line) => line.replace('discover', `${stage.now - began}`)))
    stage.wait(ms === 0 ? 0 : 100)
    lines.push(...stage.sink.take('discover').map((line) => line.replace('discover', `${stage.now - began}`)))
  }
  return lines
}

t.test('all hosts downstream are asked to show themselves, three times, from an address like theirs', async (t) => {
  const again = (stage: Stage): void => { stage.configure(TIMED) }
  t.same(discoveries(TIMED, twoLinks(), again),
    [0, 700, 2500].map((at) => `${at} eth1 from 2001:db8::ff`), 'after a reload')
  const up = (stage: Stage): void => {
    stage.link(linkOf(ETH1, { up: false }))
    stage.link(linkOf(ETH1))
  }
  t.equal(discoveries(TIMED, twoLinks(), up).length, 3, 'when the link is up again')
  const address = (stage: Stage): void => stage.link(linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::fe')] }))
  t.equal(discoveries(TIMED, twoLinks(), address)[0], '0 eth1 from 2001:db8::fe', 'from an address that is new')
  const stern = TIMED.replace('host', 'learn no\n host')
  t.same(discoveries(stern, twoLinks(), (stage) => stage.configure(stern)), [])
  const wired = 'proxy eth0 { autowire yes\n rule 2001:db8::/64 { iface eth1 } }'
  t.equal(discoveries(wired, twoLinks(), (stage) => stage.configure(wired)).length, 3)
  const plain = wired.replace('autowire yes', '')
  t.same(discoveries(plain, twoLinks(), (stage) => stage.configure(plain)), [])
})

t.test('a discovery ends with its link, its rule or its addresses', async (t) => {
  const after = (end: (stage: Stage) => void): string[] => discoveries(TIMED, twoLinks(), (stage) => {
    stage.configure(TIMED)
    stage.wait(0)
    stage.sink.take()
    end(stage)
  })
  t.equal(after(() => {}).length, 2)
  t.same(after((stage) => stage.gone(ETH1)), [])
  t.same(after((stage) => stage.link(linkOf(ETH1, { up: false }))), [])
  t.same(after((stage) => stage.configure('proxy eth1 { rule 2001:db8::/64 { static } }')), [], 'nobody is to be found there')
  const bare = [linkOf(LO), linkOf(ETH0, { addresses: [] }), linkOf(ETH1, { addresses: [] })]
  t.same(discoveries(TIMED, bare, (stage) => stage.configure(TIMED)), [])
})
