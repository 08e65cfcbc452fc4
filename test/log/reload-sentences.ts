import t from 'tap'
import { changeLine, keptSentence, type ReloadChange } from '../../src/log/reload-sentences.ts'

const CHANGE: ReloadChange = { op: 'change', what: 'option', name: 'limit', block: 'subnet 2001:db8::/64', prefix: null, from: '4096', to: '1024',
  file: '/etc/ndp6d.conf', line: 4, hosts: 0, routes: 0, groups: 0 }

t.test('changes', (t) => {
  const cases: readonly (readonly [Partial<ReloadChange>, string])[] = [
    [{}, '~ subnet 2001:db8::/64 limit 4096 -> 1024 (/etc/ndp6d.conf:4)'],
    [{ name: 'forwarding', block: null, from: 'no', to: 'yes' }, '~ forwarding no -> yes (/etc/ndp6d.conf:4)'],
    [{ op: 'add', name: 'metrics', block: null, from: null, to: '[::1]:9436' }, '+ metrics [::1]:9436 (/etc/ndp6d.conf:4)'],
    [{ what: 'host', name: '2001:db8::2', from: 'eth0', to: 'eth1' }, '~ host 2001:db8::2 eth0 -> eth1 (/etc/ndp6d.conf:4)'],
    [{ op: 'add', what: 'exclude', name: '2001:db8::/80', from: null, to: null, hosts: 2 },
      '+ exclude 2001:db8::/80 2 hosts go (/etc/ndp6d.conf:4)'],
    [{ op: 'remove', what: 'rule', name: '2001:db8:9::/112', from: 'eth0 to eth1', to: null, file: null, line: null, hosts: 3, routes: 3, groups: 3 },
      '- rule 2001:db8:9::/112 eth0 to eth1; 3 hosts, 3 routes and 3 groups go'],
    [{ op: 'remove', what: 'subnet', name: '2001:db8::/64', block: null, from: 'eth0 to eth1', to: null, file: null, line: null, hosts: 1 },
      '- subnet 2001:db8::/64 eth0 to eth1; 1 host goes'],
    [{ what: 'order', name: '', block: 'proxy eth0', from: null, to: null }, '~ proxy eth0 another order (/etc/ndp6d.conf:4)'],
    [{ what: 'order', name: '', block: null, from: null, to: null }, '~ configuration another order (/etc/ndp6d.conf:4)'],
  ]
  for (const [change, line] of cases) t.equal(changeLine({ ...CHANGE, ...change }), line)
  t.end()
})

t.test('hosts and links', (t) => {
  const links = (['kept', 'kept', 'replaced', 'opened', 'closed'] as const).map((sockets, i) => ({ iface: `eth${i}`, sockets }))
  t.equal(keptSentence(14, 3, links.slice(0, 2)), '14 of 17 hosts kept, eth0 and eth1 untouched')
  t.equal(keptSentence(1, 0, []), '1 host kept')
  t.equal(keptSentence(0, 0, links), 'no hosts are known, eth0 and eth1 untouched, eth2 with new sockets, eth3 opened, eth4 closed')
  t.equal(keptSentence(2, 0, Array(300).fill(links[0]), true), 'all 2 hosts would be kept, 300 links would stay untouched')
  t.end()
})
