/** `node send-problems.js`, inside of a lab's systemd: sends one record of each event of level warn or worse to the journal. */
import { Journal } from '../../../src/linux/systemd.ts'
import { RateLimitedLog } from '../../../src/log/rate-limited-log.ts'
import { createLog } from '../../../src/log/outputs.ts'
import { PROBLEMS, type ProblemName } from '../../../src/log/message-ids.ts'

/** Values of fields; any other field has its own name as the value. */
const VALUES: Readonly<Record<string, string | number>> = { target: '2001:db8::2', iface: 'eth1', lladdr: '52:54:00:12:34:56',
  source: 'fe80::1', count: 1234, size: 500, configFile: '/etc/ndp6d.conf' }

const journal = new Journal()
const log = new RateLimitedLog(createLog({ level: 'info', output: 'journal', journal: (fields) => journal.send(fields) }))
for (const [event, { fields }] of Object.entries(PROBLEMS)) {
  const values = Object.fromEntries(fields.map((field) => [field, VALUES[field] ?? field]))
  log.warn({ event: event as ProblemName, ...values } as never, `record of ${event}`)
}
