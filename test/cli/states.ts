/** The exit status and the JSON of each command that asks the daemon, in each state of the daemon. */
import t, { type Test } from 'tap'
import { chmodSync } from 'node:fs'
import { controlPath } from '../../src/cli/service-directories.ts'
import { command, ENV, run, writeFiles } from '../fixtures/program.ts'
import { schemaErrors } from '../kit/schema.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { Proc } from '../lab/kit/process.ts'

await ownNamespace()
veth('eth0', 'far0')
veth('eth1', 'far1')
const hosts = Array.from({ length: 3000 }, (_, i) => `  host 2001:db8::1:${i.toString(16)}\n`).join('')
const files = writeFiles({ 'ndp6d.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n${hosts}}\n` })
t.teardown(files.close)
const RUN = { RUNTIME_DIRECTORY: files.path('run') }
/** Milliseconds: a report runs several programs. */
const LIMIT = 60_000
const UNPRIVILEGED = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all']

/** Runs each command as text and as JSON. @param statuses of `status`, `log-level`, `metrics` and `report` */
function check(t: Test, statuses: readonly number[], prefix: readonly string[] = []): void {
  for (const [i, name] of ['status', 'log-level', 'metrics', 'report'].entries()) {
    const text = run([...prefix, ...command(name)], RUN, LIMIT)
    t.equal(text.status, statuses[i], name)
    t.equal(text.stderr === '', statuses[i] === 0, `a sentence if it fails: ${text.stderr}`)
    const json = run([...prefix, ...command(name, '--json')], RUN, LIMIT)
    t.equal(json.status, statuses[i], `${name} --json`)
    t.same(schemaErrors(name, json.stdout), [])
  }
}

t.setTimeout(280_000)
t.test('down', async (t) => check(t, [3, 3, 3, 0]))

t.test('starting, serving, reloading, not permitted', async (t) => {
  sh('for i in $(seq 10000 39999); do echo "route add 2001:db8::2:$((i / 10000)):$((i % 10000))/128 dev eth1 proto 136 metric 16 expires 600"; done'
    + ' | ip -6 -batch -')
  const daemon = new Proc(command('--config', files.path('ndp6d.conf')), { ...ENV, ...RUN })
  t.teardown(() => daemon.stop())
  // The socket is there before the routes of the previous run are adopted.
  await until(() => run(command('log-level'), RUN).status === 0)
  check(t, [0, 0, 0, 0])
  await daemon.line(/\bready\b/)
  check(t, [0, 0, 0, 0])
  for (const name of ['status', 'log-level', 'metrics']) {
    daemon.child.kill('SIGHUP')
    t.equal(run(command(name, '--json'), RUN).status, 0, `${name} while it reloads`)
  }
  chmodSync(controlPath(RUN), 0)
  check(t, [4, 4, 4, 0], UNPRIVILEGED)
})
