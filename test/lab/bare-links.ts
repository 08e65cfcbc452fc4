/** Links of the proxy without any IPv6 address, as with `addrgenmode none`: solicitations are answered, and hosts are found. */
import t from 'tap'
import { CONFIG, PROXY, scene, until, vmAddress } from './kit/scene.ts'

t.test('no address on either link, but one elsewhere', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, router, eth0, eth1 } = stage
  proxy.sysctl({ 'conf/eth0/addr_gen_mode': 1, 'conf/eth1/addr_gen_mode': 1 })
  proxy.ip('addr flush dev eth0', 'addr flush dev eth1', 'link add d0 type veth peer name d1', 'link set d0 up',
    'link set d1 up', `addr add ${PROXY}/128 dev d0 nodad`)
  const daemon = await stage.start(CONFIG)
  const warning = daemon.proc.line(/eth1 has no IPv6 address/, 10_000)
  const solicits = router.traffic(vmAddress(2), { rate: 10, seconds: 3 })
  await until(() => eth0.of('NA', vmAddress(2)).length > 0)
  t.match(eth1.of('NS', vmAddress(2))[0], { source: PROXY, outgoing: true }, 'the probe')
  t.match(eth0.of('NA', vmAddress(2))[0], { outgoing: true }, 'the answer')
  await warning
  await solicits
  t.equal(await daemon.stop(), 0)
  const { length } = daemon.records.filter(({ event, iface }) => event === 'bare' && iface === 'eth1')
  t.equal(length, 1, 'one warning')
})
