/** The default gateways of a real kernel. */
import t from 'tap'
import { GatewayWatcher } from '../../src/linux/gateways.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex } from './kit/links.ts'

await ownNamespace()

t.test('gateways of routes to ::/0, at the start and after every change', async (t) => {
  sh(`ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up
      ip -6 addr add 2001:db8:2::2/64 dev e0 nodad; ip -6 addr add 2001:db8:3::2/64 dev e1 nodad
      ip -6 route add 2001:db8:6::/48 via 2001:db8:2::6; ip -6 route add default via fe80::5 dev e0 metric 5
      ip -6 route add default via 2001:db8:2::1 dev e0; ip -6 route add default via 2001:db8:2::8 dev e0 table 88`)
  const kernel = new Rtnetlink()
  const events: string[] = []
  const watcher = new GatewayWatcher((gateways) => {
    events.push(gateways.map(({ address, ifindex }) => `${address} ${ifindex}`).sort().join(', '))
  }, kernel)
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  const [e0, e1] = [ifindex('e0'), ifindex('e1')]
  const after = async (command: string): Promise<string[]> => {
    sh(command)
    await until(() => events.length > 0)
    return events.splice(0)
  }
  watcher.start()
  const other = `2001:db8:2::8 ${e0}`
  t.same(events.splice(0), [`2001:db8:2::1 ${e0}, ${other}`], 'of all tables')
  sh('ip -6 route add 2001:db8:7::/48 via 2001:db8:2::7; ip -6 route add unreachable default metric 4000000000')
  t.same(await after('ip -6 route append default nexthop via 2001:db8:3::9 nexthop via 2001:db8:2::9'),
    [`2001:db8:2::1 ${e0}, ${other}, 2001:db8:2::9 ${e0}, 2001:db8:3::9 ${e1}`], 'several next hops')
  t.same(await after('ip -6 route del default via 2001:db8:2::1 dev e0'), [`${other}, 2001:db8:2::9 ${e0}, 2001:db8:3::9 ${e1}`])
  t.same(await after('ip -6 route flush default; ip link set e0 down'), [''], 'a link that is down has no routes')
})
