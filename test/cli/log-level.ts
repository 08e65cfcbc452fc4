/** `ndp6d log-level` with a real daemon. */
import t from 'tap'
import { command, type Ended, run, startDaemon, writeFiles } from '../fixtures/program.ts'
import { schemaErrors } from '../kit/schema.ts'
import { Solicitor } from '../fixtures/solicitor.ts'
import { ownNamespace, veth } from '../kit/namespace.ts'

await ownNamespace()
veth('eth0', 'far0', 'far0')
veth('eth1', 'far1', 'far1')
const files = writeFiles({ 'ndp6d.conf': 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host 2001:db8::2 eth1\n}\n' })
t.teardown(files.close)
const RUN = { RUNTIME_DIRECTORY: files.path('run') }
const logLevel = (...args: string[]): Ended => run(command('log-level', ...args), RUN)

t.test('the level is shown and set', async (t) => {
  const daemon = await startDaemon(t, [files.path('ndp6d.conf')], RUN)
  const solicitor = new Solicitor('far0', '2001:db8::2')
  t.teardown(() => solicitor.close())
  await solicitor.first()
  t.match(logLevel(), { status: 0, stdout: 'info\n', stderr: '' })
  const { stdout } = logLevel('debug', '--json')
  t.same(schemaErrors('log-level', stdout), [])
  t.same(JSON.parse(stdout), { schema: 'ndp6d/log-level/1', running: true, level: 'debug', former: 'info' })
  await daemon.line(/log level set from info to debug, until the next start/)
  t.notOk(daemon.lines.some((line) => line.includes('"event":"packet"')), 'no packet was logged so far')
  await solicitor.first()
  await daemon.line(/packet for 2001:db8::2 on eth0: answered/)
  t.match(logLevel('error'), { status: 0, stdout: 'error, formerly debug\n' })
  await daemon.line(/log level set from debug to error/)
  const { length } = daemon.lines
  await solicitor.first()
  t.equal(logLevel('error').stdout, 'error\n')
  t.same(daemon.lines.slice(length).filter((line) => line.includes('"event":"packet"')), [])
  t.match(logLevel('loud'), { status: 2, stderr: /^ndp6d: "loud" is not a value of LEVEL: expected error, warn, info, debug\n/ })
  t.equal(await daemon.stop(), 0)
  const { status, stdout: down } = logLevel('--json')
  t.equal(status, 3)
  t.same(schemaErrors('log-level', down), [])
  t.equal(logLevel('info').status, 3)
})
