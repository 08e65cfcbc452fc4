/** `ndp6d report` with a daemon and without. */
import t from 'tap'
import { bytes } from '../fixtures/frames.ts'
import { command, type Ended, run, startDaemon, writeFiles } from '../fixtures/program.ts'
import { schemaErrors } from '../kit/schema.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { Wire } from '../linux/kit/links.ts'

await ownNamespace()
veth('eth0', 'far0')
veth('eth1', 'far1')
veth('eth2', 'far2')
sh('ip -6 addr add 2001:db8::ff/64 dev eth0 nodad; ip -6 addr add 2001:db8:9::9/64 dev eth2 nodad')
sh('ip -6 neigh add 2001:db8::77 lladdr 52:54:00:a1:00:77 dev eth1; ip -6 route add default via fe80::99 dev eth0')
const files = writeFiles({ 'ndp6d.conf': 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host 2001:db8::77 eth1\n}\n',
  'bad.conf': 'subnet 2001:db8::/64 {\n  upsteam eth0\n}\n' })
t.teardown(files.close)
const RUN = { RUNTIME_DIRECTORY: files.path('run') }
const report = (...args: string[]): Ended => run(command('report', ...args), RUN, 60_000)

t.test('with a daemon', async (t) => {
  const daemon = await startDaemon(t, [files.path('ndp6d.conf')], RUN)
  const wire = new Wire('far0')
  t.teardown(() => wire.close())
  // A solicitation for 2001:db8::77 that a router forwarded.
  wire.send(bytes(`3333ff000077 020000000001 86dd 60000000 00203afe 20010db8000000000000000000000001 ff0200000000000000000001ff000077
    87001b3d 00000000 20010db8000000000000000000000077 0101020000000001`))
  const daemonStatus = (...args: string[]): string => run(command('status', ...args), RUN).stdout
  await until(() => daemonStatus('drops').includes('hop-limit'))
  t.match(daemonStatus('drops'), /^last hop-limit packet: 86 bytes, wrong at byte 21\n.*\n {2}16 {2}00 00 00 20 3a\[fe\]20 01 0d b8 /m)
  const asJson = daemonStatus('--json')
  t.same(schemaErrors('status', asJson), [])
  t.match(JSON.parse(asJson).lastPackets['hop-limit'].frame, { hex: /^3333ff000077020000000001.{148}$/, length: 86, wrongAt: 21 })
  const { status, stdout, stderr } = report()
  t.equal(status, 0)
  t.equal(stderr, '')
  t.match(stdout, /^hop-limit +1 /m)
  t.notMatch(stdout, /20 ?01 ?0d ?b8/, 'no bytes of packets')
  t.match(stdout.split('\n')[0], /^Report of ndp6d with versions, configuration, status, .*routes, neighbors, unit\. Addresses are replaced; .*Read it before/)
  t.notMatch(stdout, /2001:db8::77|2001:db8::ff|52:54:00:a1:00:77|fe80::99|far0|2001:db8:9:/)
  const word = /^ {4}host 2001:db8::\[(A\d+)\] eth1$/m.exec(stdout)?.[1]
  t.ok(word !== undefined, 'the effective configuration')
  t.match(stdout, new RegExp(`^2001:db8::\\[${word}\\] dev eth1 lladdr \\[M\\d+\\]`, 'm'), 'the same word among the neighbors')
  t.match(stdout, new RegExp(`^2001:db8::\\[${word}\\] +eth1 +REACHABLE `, 'm'), 'and in the status')
  t.match(stdout, new RegExp(`^2001:db8::\\[${word}\\] dev eth1 proto 136 `, 'm'), 'and among the routes')
  t.match(stdout, /^default via fe80::\[A\d+\] dev eth0/m)
  t.match(stdout, /^subnet 2001:db8::\/64 \{$/m, 'prefixes stay')
  t.match(stdout, /^Node v\d+/m)
  const plain = report('--plain').stdout
  t.match(plain, /^ {2}16 {2}00 00 00 20 3a\[fe\]20 01 0d b8 /m)
  t.match(plain, /^2001:db8::77 dev eth1 lladdr 52:54:00:a1:00:77/m)
  t.match(plain.split('\n')[0], /It has all addresses/)
  const json = report('--json').stdout
  t.same(schemaErrors('report', json), [])
  t.equal(await daemon.stop(), 0)
})

t.test('without a daemon', async (t) => {
  const { status, stdout } = report('--config', files.path('bad.conf'))
  t.equal(status, 0)
  t.match(stdout, /^== status\n\nnot running \(/m)
  t.match(stdout, /bad.conf:2:3: error: .*upsteam/)
  t.match(report('--config', files.path('none.conf')), { status: 0, stdout: /none.conf cannot be read: ENOENT/ })
})
