/** The proxy's own firewall drops ICMPv6: packet sockets get the replies of hosts all the same, but the kernel cannot resolve addresses. */
import t from 'tap'
import { scene, SERVER, until, vmAddress } from './kit/scene.ts'

const WARNING = /the kernel gets no answer for 2001:db8::\d on eth1, although 02:00:00:00:00:0\d replied to ndp6d.*input chain/

t.test('an input chain that drops ICMPv6: one warning names the effect', async (t) => {
  const { proxy, server, vms: [vm2], start } = await scene(t)
  proxy.exec('nft', 'table ip6 fw { chain in { type filter hook input priority 0; meta l4proto icmpv6 drop; }; }')
  const daemon = await start()
  const warnings = () => daemon.records.filter(({ msg }) => WARNING.test(msg))
  await until(async () => {
    await Promise.all([2, 3].map((n) => server.reaches(vmAddress(n), 500)))
    return warnings().length > 0
  })
  t.notOk(await vm2.reaches(SERVER, 500))
  for (let i = 0; i < 12; i++) await server.reaches(vmAddress(2), 1000)
  t.equal(warnings().length, 1, 'once')
  proxy.exec('nft', 'delete table ip6 fw')
  await until(() => server.reaches(vmAddress(2), 1000))
  t.equal(await daemon.stop(), 0)
})

t.test('hosts that go away and come back cause none', async (t) => {
  const { proxy, server, inside, vms, start } = await scene(t)
  const daemon = await start()
  for (const iface of ['eth0', 'eth1']) proxy.sysctl({ [`neigh/${iface}/base_reachable_time_ms`]: 1000, [`neigh/${iface}/delay_first_probe_time`]: 1 })
  for (let round = 0; round < 3; round++) {
    await until(async () => (await Promise.all([2, 3].map((n) => server.reaches(vmAddress(n), 500)))).every(Boolean))
    for (const vm of vms) inside.ip(`link set ${vm.name} nomaster`)
    for (let i = 0; i < 6; i++) await Promise.all([2, 3].map((n) => server.reaches(vmAddress(n), 1000)))
    for (const vm of vms) inside.ip(`link set ${vm.name} master br0`)
  }
  t.same(daemon.records.filter(({ msg }) => WARNING.test(msg)), [])
  t.equal(await daemon.stop(), 0)
})
