/** The rules of a `proxy` block: `static`, `iface` with autowire, and `auto`. */
import t from 'tap'
import { ns } from '../kit/frames.ts'
import { CONFIG, goodManners, ROUTER, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const POOL = '2001:db8::a:0:0/80'

t.test('a pool of addresses: a static rule over a local route answers, and defends in DAD', async (t) => {
  const stage = await scene(t, [])
  const { server, proxy } = stage
  proxy.ip(`route add local ${POOL} dev lo`)
  await stage.start(`route-ttl 30000\nproxy eth0 {\n  router no\n  timeout 500\n  ttl 30000\n  rule ${POOL} { static }\n}\n`)
  t.equal(await server.reaches('2001:db8::a:1234:5678', 5000), true, 'any address of the pool')
  const answers = stage.eth0.of('NA', '2001:db8::a:1234:5678').filter((na) => na.outgoing)
  t.match(answers, [{ flags: 'S' }], 'one answer, `router no`')
  const thief = await stage.addNeighbor('thief')
  thief.sysctl({ 'conf/eth0/accept_dad': 1 })
  thief.ip('addr add 2001:db8::a:0:99/64 dev eth0')
  const failed = () => thief.show('addr show dev eth0')[0].addr_info
    .some((info: { local: string; dadfailed?: boolean }) => info.local === '2001:db8::a:0:99' && info.dadfailed)
  await until(failed)
  t.pass('the pool defends its addresses')
  goodManners(t, stage)
})

t.test('proxy blocks: iface with autowire one way, a rule for the router the other way', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, proxy, vms: [vm2] } = stage
  const daemon = await stage.start(`grace 0
    proxy eth0 { autowire yes  rule 2001:db8::/64 { iface eth1 } }
    proxy eth1 { rule ${ROUTER} { iface eth0 } }`)
  t.equal(await server.reaches(vmAddress(2), 5000), true)
  t.equal(await vm2.reaches(SERVER, 5000), true)
  t.same(proxy.ourRoutes(), [vmAddress(2), vmAddress(3)], 'also of the silent one')
  t.equal(await server.reaches('2001:db8::dead', 300), false, 'no such host')
  t.same(stage.eth0.of('NA', '2001:db8::dead'), [], 'no answer for it')
  goodManners(t, stage)
  t.equal(await daemon.stop(), 0)
  t.same(proxy.ourRoutes(), [])
})

t.test('auto: hosts are probed on the link that the route leads to', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, proxy } = stage
  proxy.ip('route add 2001:db8::/112 dev eth1')
  await stage.start(`proxy eth0 { rule 2001:db8::/64 { auto } }\nproxy eth1 { rule ${ROUTER} { static } }`)
  // The route covers the router, which is on the other side.
  proxy.ip(`route add ${ROUTER}/128 dev eth0`)
  for (const n of [2, 3]) t.equal(await server.reaches(vmAddress(n), 5000), true, `host ${n}`)
  t.same(proxy.ourRoutes(), [], 'none of ours beside it')
  await server.reaches('2001:db8:0:0:1::5', 300)
  t.same(stage.eth0.of('NA', '2001:db8:0:0:1::5'), [], 'a route that leads back makes no answer')
  goodManners(t, stage)
})

t.test('auto: the route is the one of packets from the solicitor', async (t) => {
  const stage = await scene(t, [2])
  const { server, proxy } = stage
  proxy.ip('route add 2001:db8::/112 dev eth1 table 200', 'rule add iif eth0 lookup 200')
  t.match(proxy.show(`route get ${vmAddress(2)} from ${SERVER} iif eth0`), [{ dev: 'eth1' }], 'a packet from the upstream')
  t.match(proxy.show(`route get ${vmAddress(2)}`), [{ dev: 'eth0' }], 'a packet of the machine itself')
  await stage.start(`proxy eth0 { rule 2001:db8::/64 { auto } }\nproxy eth1 { rule ${ROUTER} { iface eth0 } }`)
  t.equal(await server.reaches(vmAddress(2), 5000), true)
  t.same(proxy.ourRoutes(), [])
  goodManners(t, stage)
})

t.test('the kernel answers for anycast addresses of this machine and for what `exclude` leaves to another program', async (t) => {
  const stage = await scene(t, [2])
  const { router, proxy, eth0 } = stage
  const [excluded, anycast] = ['2001:db8::8001', '2001:db8::']
  proxy.sysctl({ 'conf/all/proxy_ndp': 1, 'conf/eth0/proxy_ndp': 1 })
  proxy.ip(`neigh add proxy ${excluded} dev eth0`)
  await stage.start(CONFIG.replace('}', 'exclude 2001:db8::8000/113\n}'))
  const source = router.show('addr show dev eth0')[0].addr_info.find(({ scope }: { scope: string }) => scope === 'link').local
  for (const target of [excluded, anycast]) {
    const ends = { from: router.mac('eth0'), source, to: target, toMac: proxy.mac('eth0') }
    await router.inject('eth0', [ns({ ...ends, target })])
    await until(() => eth0.of('NA', target).length > 0).catch(() => {})
    t.equal(eth0.of('NA', target).length, 1, target)
  }
})

t.test('the first address of a rule is an ordinary host', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, proxy, vms: [vm2, vm3] } = stage
  for (const [vm, first, prefix] of [[vm2, '2001:db8::10:0:0', 96], [vm3, '2001:db8::10:4', 126]] as const) {
    vm.ip(`addr add ${first}/128 dev eth0 nodad`)
    proxy.ip(`route add ${first}/${prefix} dev eth1`)
  }
  await stage.start('proxy eth0 {\n rule 2001:db8::10:0:0/96 { auto }\n rule 2001:db8::10:4/126 { auto }\n}\n'
    + `proxy eth1 { rule ${ROUTER} { static } }`)
  t.equal(await server.reaches('2001:db8::10:0:0', 5000), true, 'of a /96')
  t.equal(await server.reaches('2001:db8::10:4', 5000), true, 'of a /126')
  goodManners(t, stage)
})

t.test('own addresses: the kernel answers on their link, ndp6d on the others', async (t) => {
  const stage = await scene(t, [2])
  const { router, vms: [vm2], proxy } = stage
  proxy.ip('addr add 2001:db8::8000:0:0:fe/128 dev lo')
  await stage.start()
  // The answer to the first datagram may be ahead of the VM's route.
  await until(() => vm2.reaches('2001:db8::ff', 200))
  t.equal(await router.reaches('2001:db8::ff', 5000), true, 'and on eth0')
  t.equal(await router.reaches('2001:db8::8000:0:0:fe', 5000), true, 'one of loopback')
  t.equal(stage.eth0.of('NA', '2001:db8::ff').filter((na) => na.outgoing).length,
    stage.eth0.of('NS', '2001:db8::ff').filter((ns) => !ns.outgoing).length, 'one answer for each solicitation')
  goodManners(t, stage)
})
