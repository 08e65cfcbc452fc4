import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import type { LinkUsage } from '../../src/events.ts'
import type { Link } from '../../src/engine-types.ts'
import { isUnserved } from '../../src/cli/status.ts'
import { linkStatuses } from '../../src/replies/links.ts'

const link = (ifindex: number, name: string, up = true): Link => ({ ifindex, name, mac: undefined, up, addresses: [] })
const used = (iface: string, failure?: string): LinkUsage => ({ iface, failure, received: 5, drops: 1, sent: 4, unsent: 0, queued: 0 })

function statuses(text: string, links: Link[], { usage = [] as LinkUsage[], ports = [] as string[], isPending = false } = {}) {
  const { config, diagnostics } = parseConfig(text, 'test.conf')
  if (config === undefined) throw new Error(JSON.stringify(diagnostics))
  return linkStatuses({ config, links: [link(1, 'lo'), ...links], usage, ports, isPending })
}
const brief = (...args: Parameters<typeof statuses>): string[] => statuses(...args).map(({ name, roles, state }) => `${name} ${roles.join('+')} ${state}`)

const SUBNET = 'subnet 2001:db8::/64 {\n upstream eth0\n downstream eth1 vm*\n}\n'

t.test('roles and states, in the order of the file', async (t) => {
  const links = [link(9, 'vm10'), link(8, 'vm9', false), link(3, 'eth1'), link(2, 'eth0'), link(4, 'other')]
  t.same(brief(SUBNET, links, { usage: ['eth0', 'eth1', 'vm9', 'vm10'].map((name) => used(name)) }),
    ['eth0 upstream serving', 'eth1 downstream serving', 'vm9 downstream down', 'vm10 downstream serving'])
  t.same(brief('proxy eth0 {\n rule 2001:db8::/64 { iface eth1 }\n}\nproxy eth1 {\n rule 2001:db8:1::/64 { iface eth0 }\n rule 2001:db8:2::/64 { auto }\n}\n',
    links, { usage: ['eth0', 'eth1', 'other'].map((name) => used(name)) }),
    ['eth0 upstream+downstream serving', 'eth1 downstream+upstream serving', 'other route serving'])
})

t.test('links that are waited for', async (t) => {
  const [eth0, ...others] = statuses(SUBNET, [link(2, 'eth0')], { usage: [used('eth0')] })
  t.same(eth0, { name: 'eth0', ifindex: 2, roles: ['upstream'], state: 'serving', reason: null, received: 5, lost: 1, sent: 4, unsent: 0, queued: 0 })
  t.match(others, [{ name: 'eth1', ifindex: null, state: 'waiting', received: null, lost: null }, { name: 'vm*', state: 'waiting' }])
  t.notOk(others.some(isUnserved), 'which is no failure')
})

t.test('links that exist and are not served', async (t) => {
  const links = [link(2, 'eth0'), link(3, 'eth1')]
  const failed = statuses(SUBNET, links, { usage: [used('eth0', 'no descriptors')], ports: ['vm1'] })
  t.match(failed, [{ name: 'eth0', state: 'failed', reason: 'no descriptors' }, { name: 'eth1', state: 'failed', reason: /./ },
    { name: 'vm*', state: 'waiting' }], 'a pattern does not mean ports')
  t.same(failed.map(isUnserved), [true, true, false])
  const port = statuses(SUBNET, [link(2, 'eth0')], { usage: [used('eth0')], ports: ['eth1', 'eth7'] })
  t.match(port, [{}, { name: 'eth1', state: 'port' }, { name: 'vm*' }])
  t.same(port.map(isUnserved), [false, true, false])
  t.same(brief(SUBNET, links, { isPending: true }), ['eth0 upstream pending', 'eth1 downstream pending', 'vm* downstream waiting'])
})
