/** `ndp6d doctor`: options, exit statuses, and the document of `--json`. The faults are in test/lab/doctor.ts. */
import t, { type Test } from 'tap'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { schemaErrors } from '../kit/schema.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { command, type Ended, run, writeFiles } from '../fixtures/program.ts'

await ownNamespace()
veth('eth0', 'far0')
veth('eth1', 'far1')
sh(`ip -6 addr add 2001:db8::ff/64 dev eth0 nodad; ip -6 route add default via fe80::1 dev eth0; sysctl -qw net.ipv6.conf.all.forwarding=1
  ip -6 neigh add fe80::1 dev eth0 lladdr 02:00:00:00:00:01 nud stale`)

const files = writeFiles({
  'good.conf': 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n}\n',
  'bad.conf': 'subnet 2001:db8::/64 {\n  upsteam eth0\n}\n',
  'static.conf': 'proxy eth0 {\n  rule 2001:db8::/64 { static }\n}\n',
  'bin/nft': '#!/bin/sh\nexec sleep 60\n',
  'listening/nft': '#!/bin/sh\necho "Operation not permitted (you must be root)" >&2; exit 1\n',
})
t.teardown(files.close)
for (const name of ['bin', 'listening']) chmodSync(files.path(`${name}/nft`), 0o755)

interface Document {
  readonly ok: boolean
  readonly running: boolean | null
  readonly checks: readonly { code: string; status: string; what: string | null; how: string | null; mend: string | null }[]
}


function doctor(config: string, ...args: string[]): string[] {
  return command('doctor', '--config', files.path(config), '--control', files.path('run/control.sock'), ...args)
}

/** @returns the document, which is valid */
function documentOf(t: Test, { stdout, stderr }: Ended): Document {
  t.equal(stderr, '')
  const document = JSON.parse(stdout) as Document
  t.same(schemaErrors('doctor', document), [])
  return document
}

const statusOf = ({ checks }: Document, code: string): string | undefined => checks.find((check) => check.code === code)?.status

t.test('nothing wrong: status 0, with --strict 1 because of what is unknown', async (t) => {
  const ended = run(doctor('good.conf', '--json'))
  const document = documentOf(t, ended)
  t.equal(ended.status, 0)
  t.match(document, { ok: true, running: false })
  t.same(document.checks.filter(({ status }) => status === 'finding'), [])
  t.match(document.checks.find(({ code }) => code === 'silent-tunnel'), { status: 'unknown', what: 'no daemon runs', how: 'systemctl start ndp6d' })
  t.equal(run(doctor('good.conf', '--strict')).status, 1)
  t.equal(run(doctor('good.conf', '--strict', '--only', 'forwarding-off,accept-ra')).status, 0)
  const { stdout } = run(doctor('good.conf', '--only', 'forwarding-off'))
  t.equal(stdout, '1 checked, nothing wrong. The daemon does not run.\n')
})

t.test('a finding: status 1, in 80 columns but for what is to be pasted', async (t) => {
  const ended = run(doctor('static.conf'))
  t.equal(ended.status, 1)
  t.match(ended.stdout, /^WARNING {2}static-prefix: the rule for 2001:db8::\/64 on eth0 /)
  t.match(ended.stdout, /^ {9}Why: a scan of the prefix/m)
  t.match(ended.stdout, /^ {9}line: rule 2001:db8::\/64 \{ auto \} {10}\(in \S+static\.conf\)$/m)
  t.match(ended.stdout, /\d+ checked, 1 warning, \d unknown\. The daemon does not run\. Exit status 1\n$/)
  const wide = ended.stdout.split('\n').filter((line) => line.length > 80 && !/^ {9}(?:line|mend|keep|check): /.test(line))
  t.same(wide, [])
  t.match(documentOf(t, run(doctor('static.conf', '--json'))), { ok: false })
})

t.test('--list, and a wrong code', async (t) => {
  const list = run(doctor('good.conf', '--list'))
  t.equal(list.status, 0)
  const codes = list.stdout.trim().split('\n').map((line) => line.split(' ')[0])
  t.equal(new Set(codes).size, codes.length)
  t.ok(codes.length >= 18 && codes.includes('dad-failed'))
  documentOf(t, run(doctor('good.conf', '--list', '--json')))
  const wrong = run(doctor('good.conf', '--only', 'forwarding'))
  t.equal(wrong.status, 2)
  t.match(run(doctor('good.conf', '--only', 'firewal-nd')), { status: 2, stderr: "no check has the code 'firewal-nd': did you mean firewall-nd?" })
  t.match(run(doctor('good.conf', '--only', ',')), { status: 2, stderr: '--only has no code: `ndp6d doctor --list` shows all codes' })
  t.equal(wrong.stderr, "ndp6d: no check has the code 'forwarding'; `ndp6d doctor --list` shows all codes\n")
})

t.test('without a configuration the other checks are made', async (t) => {
  for (const name of ['absent.conf', 'bad.conf']) {
    const document = documentOf(t, run(doctor(name, '--json')))
    t.match(document.checks.find(({ code }) => code === 'forwarding-off'), { status: 'unknown', what: /no valid configuration in /,
      how: `ndp6d check ${files.path(name)}` })
    t.equal(statusOf(document, 'capability'), 'ok')
    t.equal(statusOf(document, 'competitor'), 'ok')
  }
})

t.test('privileges', async (t) => {
  const { checks } = documentOf(t, run(['setpriv', '--bounding-set', '-net_admin', ...doctor('good.conf', '--json', '--only', 'capability')]))
  t.match(checks, [{ status: 'finding', what: 'root has no CAP_NET_ADMIN here', mend: 'AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW' }])
  const user = ['setpriv', '--reuid', '65534', '--clear-groups', '--bounding-set', '-all', '--inh-caps', '-all']
  chmodSync(files.path('.'), 0o755)
  const ended = run(['env', '-i', `PATH=${process.env.PATH}`, ...user, ...doctor('good.conf', '--json')])
  const document = documentOf(t, ended)
  t.equal(ended.status, 0, 'what is not permitted is unknown')
  t.equal(statusOf(document, 'forwarding-off'), 'ok')
  for (const code of ['capability', 'firewall-nd', 'firewall-mld']) {
    t.match(document.checks.find((check) => check.code === code), { status: 'unknown', how: 'sudo ndp6d doctor' }, code)
  }
})

t.test('a program that hangs or is not permitted', async (t) => {
  const path = (directory: string) => ({ PATH: `${files.path(directory)}:${process.env.PATH}` })
  const began = performance.now()
  const { checks } = documentOf(t, run(doctor('good.conf', '--json'), path('bin')))
  t.ok(performance.now() - began < 10_000, 'five seconds, and the start of a busy machine')
  t.match(checks.find(({ code }) => code === 'firewall-nd'), { status: 'unknown', what: 'nft took too long' })
  t.match(documentOf(t, run(doctor('good.conf', '--json', '--only', 'firewall-mld'), path('listening'))).checks,
    [{ status: 'unknown', what: 'nft: not permitted', how: 'sudo ndp6d doctor' }])
  t.match(documentOf(t, run(doctor('good.conf', '--json', '--only', 'firewall-mld'), { PATH: join(files.path('.'), 'none') })).checks,
    [{ status: /ok|unknown/ }])
})
