/** The withdrawal of Router Advertisements by `ndp6d cleanup`: on which links it is reported as done. */
import t from 'tap'
import { Prefix } from '../../src/address.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { withdraw } from '../../src/linux/withdrawal.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'

await ownNamespace()

t.test('links that send it, and no others', async (t) => {
  sh(`for i in 0 1 2; do
        ip link add e$i type veth peer name f$i; ip link set e$i up; ip link set f$i up
        ip -6 addr add fe80::ff/64 dev e$i nodad
      done
      ip link set e1 down; tc qdisc add dev e2 root pfifo limit 0`)
  const kernel = new Rtnetlink()
  t.teardown(() => kernel.close())
  const links = ['e0', 'e1', 'e2', 'gone']
  const prefixes = links.map((iface) => ({ iface, prefix: Prefix.parse('2001:db8::/64')!, left: 60_000 }))
  t.same(withdraw({ links, prefixes }, kernel), ['e0'], 'e1 is down, and e2 drops all packets')
})
