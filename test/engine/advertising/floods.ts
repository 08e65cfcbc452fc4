/** Floods of Router Advertisements on both sides, and links that change their role. */
import t from 'tap'
import { ETH0, ETH1, ETH2, ip, linkOf, mac, prefix, Stage, twoLinks, VM, VM2 } from '../kit/stage.ts'

const CONFIG = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  announce no
  router-advertisements yes
}`

t.test('a flood of forged advertisements is answered by one multicast every 3 s', async (t) => {
  const stage = new Stage(CONFIG, twoLinks())
  stage.learn(VM, VM2)
  stage.learn('2001:db8::3', '02:00:00:00:00:03')
  stage.wait(20_000)
  stage.sink.take()
  for (let i = 0; i < 1000; i++) {
    stage.handle({ kind: 'router-message', ifindex: ETH1, message: { kind: 'advertisement', source: ip('fe80::ff:3'), mac: mac(VM2), lifetime: 0 } })
    stage.wait(8)
  }
  const sent = stage.sink.take('ra')
  t.same(sent.filter((line) => !line.includes('to ff02::1 ')), [], 'no advertisement for each forged one and host')
  t.equal(sent.length, 3)
})

t.test('an upstream that advertises another server each time', async (t) => {
  const stage = new Stage(CONFIG, twoLinks())
  stage.learn(VM, VM2)
  stage.wait(20_000)
  stage.sink.take()
  for (let i = 0; i < 3000; i++) {
    for (const [n, lifetime] of [[i - 1, 0], [i, 600]]) {
      if (n >= 0) stage.handle({ kind: 'dns', ifindex: ETH0, option: { kind: 'servers', values: [`2001:db8:ffff::${n.toString(16)}`], lifetime } })
    }
    stage.wait(1)
  }
  const sent = stage.sink.take('ra')
  t.ok(sent.length > 2 && sent.length <= 12, `${sent.length} advertisements in 3 s`)
  stage.wait(3000)
  t.match([...sent, ...stage.sink.take('ra')].at(-1), /to ff02::1 .*2001:db8:ffff::bb7 \d{3}/, 'the last one, to all nodes')
})

t.test('a downstream that becomes the upstream before anything was advertised there keeps what its router grants', async (t) => {
  const bare = { ...linkOf(ETH1), addresses: [] }
  const stage = new Stage(CONFIG.replace('downstream eth1', 'downstream eth1 eth2'), [linkOf(ETH0), bare, linkOf(ETH2)])
  stage.configure(CONFIG.replace('2001:db8::/64', 'auto').replace('eth0', 'eth1').replace('downstream eth1', 'downstream eth2'))
  stage.handle({ kind: 'prefixes', ifindex: ETH1, prefixes: [prefix('2001:db8::/64')] })
  stage.handle({ kind: 'grants', ifindex: ETH1, grants: [{ prefix: prefix('2001:db8::/64'), valid: 600_000, preferred: 300_000 }], mtu: 1400 })
  stage.wait(20_000)
  t.match(stage.sink.take('ra').at(-1), /mtu 1400, 2001:db8::\/64 5[89]\d 2[89]\d$/)
})
