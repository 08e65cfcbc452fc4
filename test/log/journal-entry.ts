import t from 'tap'
import { journalFields } from '../../src/log/journal-entry.ts'
import { MESSAGE_IDS } from '../../src/log/message-ids.ts'

t.test('an entry of the journal, with fields', async (t) => {
  t.same(journalFields({ level: 30, time: 0, msg: 'sentence', fields: { event: 'neighbor', target: '2001:db8::2',
    iface: 'eth1', lladdr: '52:54:00:12:34:56', reason: 'verified' } }), {
    MESSAGE: 'sentence', PRIORITY: '6', SYSLOG_IDENTIFIER: 'ndp6d', MESSAGE_ID: MESSAGE_IDS.neighbor,
    NDP_EVENT: 'neighbor', NDP_TARGET: '2001:db8::2', INTERFACE: 'eth1', NDP_LLADDR: '52:54:00:12:34:56',
    NDP_REASON: 'verified',
  })
  const priorities = [60, 50, 40, 30, 20, 10].map((level) => journalFields({ level, time: 0, msg: '', fields: {} }).PRIORITY)
  t.same(priorities, ['2', '3', '4', '6', '7', '7'])
  const entry = journalFields({ level: 50, time: 0, msg: 'm', fields: { event: 'toString', err: { stack: 'Error: why\n    at here' }, rx2Bytes: 1,
    counters: { answered: 2 } } })
  t.notOk('MESSAGE_ID' in entry)
  t.match(entry.NDP_ERR, /^Error: why\n    at /)
  t.equal(entry.NDP_COUNTERS, '{"answered":2}')
  t.equal(entry.NDP_RX_BYTES, '1', 'letters only')
  const ids = Object.values(MESSAGE_IDS)
  t.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)))
  t.equal(new Set(ids).size, ids.length)
})
