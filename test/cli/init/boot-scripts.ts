import t from 'tap'
import { findEntries } from '../../../src/cli/init/boot-scripts.ts'

function read(text: string): { entries: string[]; unread: readonly string[] } {
  const { entries, unread } = findEntries('f', text)
  return { entries: entries.map(({ address, dev, origin }) => `${address} ${dev} ${origin}`), unread }
}

t.test('commands of ip(8)', async (t) => {
  for (const line of ['ip -6 neigh add proxy 2001:db8::2 dev eth0', '/sbin/ip neigh add proxy 2001:db8::2 dev eth0 2>/dev/null || true',
    'ip -6 nei replace proxy "2001:DB8::2" dev eth0 nud permanent', 'ip neighbour add dev eth0 proxy 2001:db8:0::2', '@reboot root ip -6 n add proxy 2001:db8::2 dev eth0',
    'ExecStart=/usr/sbin/ip -6 neighbor add proxy 2001:db8::2 dev eth0', "  post-up ip -6 neigh add proxy '2001:db8::2' dev 'eth0'; echo done"]) {
    t.same(read(line), { entries: ['2001:db8::2 eth0 f:1'], unread: [] }, line)
  }
  t.same(read('ip -6 neigh add proxy 2001:db8::2 dev eth0; ip -6 neigh add proxy 2001:db8::3 dev eth0 && true').entries,
    ['2001:db8::2 eth0 f:1', '2001:db8::3 eth0 f:1'])
  t.same(read('ip -6 neigh add proxy \\\n  2001:db8::2 dev eth0\nip -6 neigh add proxy 2001:db8::3 dev eth0').entries,
    ['2001:db8::2 eth0 f:1', '2001:db8::3 eth0 f:3'], 'continued lines')
})

t.test('what is no entry', async (t) => {
  for (const line of ['# ip -6 neigh add proxy 2001:db8::2 dev eth0', 'ip -6 neigh add 2001:db8::2 lladdr 02::1 dev eth0', 'ip neigh show proxy',
    'ip neigh add proxy 192.0.2.1 dev eth0', 'ip -6 route add 2001:db8::2 dev eth1', 'ip -6 neigh del proxy 2001:db8::2 dev eth0', 'zip -6 new add']) {
    t.same(read(line), { entries: [], unread: [] }, line)
  }
})

t.test('variables', async (t) => {
  t.same(read('iface eth3 inet6 static\n  up ip -6 neigh add proxy 2001:db8::2 dev $IFACE\n  up ip -6 neigh add proxy 2001:db8::3 dev "${IFACE}"').entries,
    ['2001:db8::2 eth3 f:2', '2001:db8::3 eth3 f:3'], 'interfaces(5)')
  const loop = 'for i in 1 2; do ip -6 neigh add proxy 2001:db8::$i dev eth0; done'
  t.same(read(loop), { entries: [], unread: [`f:1: ${loop}`] })
  t.same(read('ip -6 neigh add proxy 2001:db8::2 dev $WAN').unread, ['f:1: ip -6 neigh add proxy 2001:db8::2 dev $WAN'])
})

t.test('systemd.network(5)', async (t) => {
  t.same(read('[Match]\nName=ens3\n\n[Network]\nIPv6ProxyNDP=yes\nIPv6ProxyNDPAddress=2001:db8::2\nIPv6ProxyNDPAddress = 2001:db8::3').entries,
    ['2001:db8::2 ens3 f:6', '2001:db8::3 ens3 f:7'])
  t.same(read('[Match]\nName=en*\n[Network]\nIPv6ProxyNDPAddress=2001:db8::2').unread, ['f:4: IPv6ProxyNDPAddress=2001:db8::2'])
})
