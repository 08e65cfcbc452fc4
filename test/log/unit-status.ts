import t from 'tap'
import { unitStatus } from '../../src/log/unit-status.ts'

const SERVING = { links: 2, hosts: 14, routes: 14, waiting: [], answersOnly: false, findings: 0 }

t.test('the line of the unit', (t) => {
  t.equal(unitStatus(SERVING), '2 links, 14 hosts, 14 routes')
  t.equal(unitStatus({ ...SERVING, links: 1, hosts: 1, routes: 1, waiting: ['eth9'] }), '1 link, 1 host, 1 route; waiting for eth9')
  t.equal(unitStatus({ ...SERVING, links: 0, hosts: 0, routes: 0, waiting: ['a', 'b', 'c', 'd', 'e', 'f'] }),
    '0 links, 0 hosts, 0 routes; waiting for a, b, c, d and 2 more')
  t.equal(unitStatus({ ...SERVING, routes: 0, answersOnly: true }), '2 links, 14 hosts, no routes (answers only)')
  t.equal(unitStatus({ ...SERVING, waiting: ['eth9'], findings: 1 }), '2 links, 14 hosts, 14 routes; waiting for eth9; 1 finding: ndp6d doctor')
  t.equal(unitStatus({ ...SERVING, findings: 2 }), '2 links, 14 hosts, 14 routes; 2 findings: ndp6d doctor')
  t.end()
})
