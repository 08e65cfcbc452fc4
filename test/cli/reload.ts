/** `ndp6d reload`: what is printed, applied, refused, tried and undone. */
import t from 'tap'
import type { Test } from 'tap'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import type { Status } from '../../src/replies/status.ts'
import { ownNamespace, packetSockets, sh, veth } from '../kit/namespace.ts'
import { command, type Ended, run, startDaemon, writeFiles } from '../fixtures/program.ts'
import { parseRecord } from '../lab/kit/daemon.ts'
import type { Proc } from '../lab/kit/process.ts'

await ownNamespace()
veth('eth0', 'far0')
sh('ip -6 addr add 2001:db8::ff/64 dev eth0 nodad')
veth('eth1', 'far1')
veth('eth2', 'far2')

const A = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
  host 2001:db8::2
  host 2001:db8::3
}
`
const B = `subnet 2001:db8:1::/64 {
  upstream eth0
  downstream eth2
}
${A.replace('  host 2001:db8::3\n', '').replace('upstream eth0', 'limit 1024\n  upstream eth0')}`
const BROKEN = A.replace('host 2001:db8::2', 'hots 2001:db8::2')

const files = writeFiles({ 'ndp6d.conf': A })
t.teardown(files.close)
const file = files.path('ndp6d.conf')
// Other tests with daemons run at the same time.
const RUN = { RUNTIME_DIRECTORY: files.path('run') }
const validate = new Ajv().compile(JSON.parse(readFileSync(new URL('../../../schemas/reload.json', import.meta.url), 'utf8')))

function reload(...args: string[]): Ended { return run(command('reload', ...args), RUN) }
function write(text: string): void { writeFileSync(file, text) }
function status(): Status { return JSON.parse(run(command('status', '--json'), RUN).stdout) as Status }
function targets(): string[] { return status().hosts.map(({ address }) => address) }

/** @returns the JSON output, which is valid */
function json(t: Test, ...args: string[]): any {
  const output = JSON.parse(reload('--json', ...args).stdout)
  t.ok(validate(output), JSON.stringify(validate.errors))
  return output
}

async function start(): Promise<Proc> {
  write(A)
  return startDaemon(t, [file], RUN)
}

function messages(daemon: Proc): string[] { return daemon.lines.map((line) => parseRecord(line).msg) }

t.test('the difference is printed, and applied; unchanged links keep their sockets', async (t) => {
  const daemon = await start()
  const before = packetSockets()
  t.ok(before.length >= 2)
  write(B)
  const dry = reload('--dry-run')
  t.equal(dry.status, 0)
  t.equal(dry.stdout, `${file}: good
  + subnet 2001:db8:1::/64  eth0 to eth2  ${file}:1
  ~ subnet 2001:db8::/64    limit 4096 -> 1024  ${file}:6
  - host 2001:db8::3        any downstream; 1 host, 1 route and 1 group go
Nothing changed by --dry-run: 2 of 3 hosts would be kept, eth0 and eth1 would stay untouched, eth2 would be opened.
`)
  t.equal(targets().length, 3, 'nothing changed')
  t.match(status().reload, { at: null, verdict: null, changedOnDisk: true })

  const { status: code, stdout, stderr } = reload()
  t.equal(code, 0)
  t.equal(stderr, '')
  t.match(stdout, / {2}- host 2001:db8::3 .*\nApplied in \d+ ms\. 2 of 3 hosts kept, eth0 and eth1 untouched, eth2 opened\.\n$/)
  t.same(targets(), ['2001:db8::1', '2001:db8::2'])
  t.match(status().reload, { verdict: 'applied', changedOnDisk: false, undoAt: null })
  const after = packetSockets()
  t.same(before.filter((socket) => !after.includes(socket)), [], 'the same inodes')
  t.equal(parseRecord(await daemon.line(/"reloaded/)).msg,
    `reloaded ${file}: 3 changes, 2 of 3 hosts kept, eth0 and eth1 untouched, eth2 opened`)
  t.match(reload().stdout, /: good\n {2}no difference to the configuration of [\d-]{10} [\d:]{5}\nApplied in /)
  t.equal(await daemon.stop(), 0)
})

t.test('a file with an error, or without permission, changes nothing', async (t) => {
  const daemon = await start()
  write(BROKEN)
  for (const args of [['--dry-run'], [], ['--try', '60s']]) {
    const { status: code, stdout, stderr } = reload(...args)
    t.equal(code, 78)
    t.equal(stdout, '')
    t.match(stderr, /ndp6d\.conf:5:3: error: .*\n.*\n.*\n.*\nNothing changed: ndp6d goes on with the configuration of [\d-]{10} [\d:]{5}\n$/)
  }
  t.equal(targets().length, 3)
  t.match(status().reload, { verdict: 'refused', changedOnDisk: true, undoAt: null })
  await daemon.line(/: the former configuration stays in force, that of /)
  write(A)
  t.match(status().reload, { verdict: 'refused', changedOnDisk: false }, 'mended without a reload')
  rmSync(file)
  t.match(reload(), { status: 78, stderr: /does not exist.*\nNothing changed/ })
  t.match(status().reload, { verdict: 'refused', changedOnDisk: true })
  t.equal(await daemon.stop(), 0)
})

t.test('SIGHUP logs the difference', async (t) => {
  const daemon = await start()
  write(B)
  daemon.child.kill('SIGHUP')
  await daemon.line(/- host 2001:db8::3/)
  t.same(messages(daemon).slice(-3), [`+ subnet 2001:db8:1::/64 eth0 to eth2 (${file}:1)`, `~ subnet 2001:db8::/64 limit 4096 -> 1024 (${file}:6)`,
    '- host 2001:db8::3 any downstream; 1 host, 1 route and 1 group go'])
  t.equal(await daemon.stop(), 0)
})

t.test('a trial ends with the former configuration, unless it is confirmed', async (t) => {
  const daemon = await start()
  write(B)
  t.match(reload('--try', '60s'), { status: 0, stdout: /Undone at \d\d:\d\d:\d\d unless you run: ndp6d reload --confirm\n$/ })
  t.match(status(), { hosts: [{}, {}], reload: { verdict: 'applied', undoAt: /^20.*Z$/ } })
  t.match(reload('--confirm'), { status: 0, stdout: /^Confirmed: the configuration of .* stays\.\n$/ })
  t.match(reload('--confirm'), { status: 1, stderr: /no configuration is on trial/ })
  t.match(reload('--try', '60s').stdout, /no difference.*\n.*Without a difference there is nothing to undo\.\n$/)
  t.equal(status().reload.undoAt, null)

  write(A)
  reload('--try', '1s')
  await daemon.line(/was not confirmed: that of .* is in force again/, 10_000)
  t.equal(targets().length, 2, 'the former configuration')
  t.match(status().reload, { verdict: 'undone', changedOnDisk: true, undoAt: null })
  t.equal(readFileSync(file, 'utf8'), A, 'the file stays')
  t.match(reload('--confirm'), { status: 1, stderr: /too late: the former configuration is in force again since / })
  t.equal(await daemon.stop(), 0)
})

t.test('further reloads during a trial', async (t) => {
  const daemon = await start()
  write(B)
  reload('--try', '60s')
  write(B.replace('1024', '2048'))
  reload('--try', '1s')
  await daemon.line(/was not confirmed/, 10_000)
  t.equal(targets().length, 3, 'a second trial ends with the configuration before the first one')

  reload('--try', '60s')
  write(BROKEN)
  t.equal(reload().status, 78)
  t.not(status().reload.undoAt, null, 'a refused one leaves the trial alone')

  write(B)
  t.match(reload().stdout, /The trial is over: this configuration stays\./)
  t.match(status(), { hosts: [{}, {}], reload: { undoAt: null } }, 'a reload keeps the file')
  write(A)
  reload('--try', '60s')
  daemon.child.kill('SIGHUP')
  await daemon.line(/the trial is over, and this configuration stays/, 10_000, daemon.lines.length)
  write(B)
  reload('--try', '60s')
  t.equal(await daemon.stop(), 0)
  t.match(messages(daemon).at(-2), /stopping before the configuration on trial was confirmed: the next start uses .* as it is on disk/)
})

t.test('--json', async (t) => {
  t.match(json(t), { schema: 'ndp6d/reload/1', error: /./, applied: false, verdict: null, kept: null })
  t.equal(reload('--json').status, 3)
  const daemon = await start()
  write(B)
  t.match(json(t, '--dry-run'), { applied: false, verdict: 'would-apply', kept: 2, dropped: 1 })
  t.match(json(t, '--try', '60s'), { error: null, applied: true, verdict: 'applied', kept: 2, dropped: 1, undoAt: /Z$/, changes: [
    { op: 'add', what: 'subnet', prefix: '2001:db8:1::/64', file, line: 1 }, {}, { op: 'remove', what: 'host', hosts: 1, routes: 1, file: null }] })
  t.match(json(t, '--confirm'), { verdict: 'confirmed', undoAt: null })
  t.match(json(t, '--confirm'), { verdict: null, error: /no configuration is on trial/ })
  write(BROKEN)
  t.match(json(t), { applied: false, verdict: 'refused', problems: [{ line: 5, column: 3, endColumn: 7, severity: 'error' }] })
  t.equal(await daemon.stop(), 0)
})

t.test('a wrong command line', async (t) => {
  for (const args of [['--try', 'soon'], ['--try', '0s'], ['--try', '25h'], ['--try', '5s', '--confirm'], ['--dry-run', '--confirm'], ['more']]) {
    t.match(reload(...args), { status: 2, stderr: /./ }, args.join(' '))
  }
  t.match(reload('--try', '5').stderr, /`--try 5` is no time: expected one from 1s to 24h, like 60s or 5m/)
})

t.test('an included file that is added or removed', async (t) => {
  const more = writeFiles({ 'main.conf': 'include d/*.conf\n', 'd/a.conf': A })
  t.teardown(more.close)
  const daemon = await startDaemon(t, [more.path('main.conf')], RUN)
  t.equal(status().reload.changedOnDisk, false)
  writeFileSync(more.path('d/b.conf'), 'proxy eth2 { rule 2001:db8:2::1 { static } }\n')
  t.equal(status().reload.changedOnDisk, true)
  rmSync(more.path('d/b.conf'))
  t.equal(status().reload.changedOnDisk, false)
  writeFileSync(more.path('d/a.conf'), `# a comment\n${A}`)
  t.equal(status().reload.changedOnDisk, false, 'the same configuration')
  t.equal(await daemon.stop(), 0)
})
