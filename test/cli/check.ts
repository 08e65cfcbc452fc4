/** `ndp6d check`: exit statuses and output. The diagnostics are tested in test/config. */
import t from 'tap'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { schemaErrors, schemaOf } from '../kit/schema.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { command, ndp6d, run, writeFiles } from '../fixtures/program.ts'

const GOOD = `forwarding yes
subnet 2001:db8::/64 {
    upstream   eth0
    downstream eth1 vmtap*
    host 2001:db8::1 eth0
    exclude 2001:db8::dead:0/112
    ttl 10s
}
proxy eth2 {
    rule 2001:db8:1::/64 { iface eth3 }
    rule 2001:db8:2::/64 { auto }
}
`
const BAD = `subnet 2001:db8::/64 {
    upstream   eth0
    downstream eth1
    host 2001::db8:2
}
proxi eth0 {
    rule 2001:db8:2::/64 { auto }
}
`
await ownNamespace()
for (const name of ['eth0', 'eth2']) sh(`ip link add ${name} type veth peer name far-${name}`)
sh('ip link add eth1 type bridge; ip link add eth3 type bridge; ip tuntap add tun0 mode tun')

const files = writeFiles({ 'good.conf': GOOD, 'bad.conf': BAD, 'secret.conf': GOOD, 'warn.conf': 'proxy eth0 {\n}\n',
  'links.conf': 'subnet 2001:db8::/64 {\n  upstream etho\n  downstream eth1 tun*\n}\nproxy eth2 {\n  rule 2001:db8:2::/56 { auto }\n}\n' })
t.teardown(files.close)

t.test('a good file', async (t) => {
  const file = files.path('good.conf')
  t.match(ndp6d('check', file), { status: 0, stdout: `${file}: good. 1 subnet, 2 rules, 5 links, 1 pinned host, 1 exclusion.\n`, stderr: '' })
})

t.test('Router Advertisements of a machine that does not forward', async (t) => {
  const text = 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  router-advertisements yes\n  dns fd00::53\n  search example.net\n}\n'
  const { path, close } = writeFiles({ 'ra.conf': text, 'forwarding.conf': `forwarding yes\n${text}`, 'narrow.conf': `forwarding yes\n${text.replace('/64', '/80')}` })
  t.teardown(close)
  sh('sysctl -qw net.ipv6.conf.all.forwarding=0')
  const { status, stderr } = ndp6d('check', path('ra.conf'))
  t.equal(status, 0)
  t.match(stderr, /ra\.conf:4:3: warning: this machine does not forward IPv6: hosts get addresses, but no default route\n[^]*hint: write `forwarding yes`/)
  t.equal(ndp6d('check', path('forwarding.conf')).stderr, '')
  t.match(ndp6d('check', path('narrow.conf')).stderr, /narrow\.conf:2:8: warning: hosts take no address in 2001:db8::\/80 by themselves/)
  const printed = ndp6d('check', '--print', path('forwarding.conf')).stdout
  for (const line of ['router-advertisements yes', 'default-route auto', 'dns fd00::53', 'search example.net']) t.match(printed, line)
  sh('sysctl -qw net.ipv6.conf.all.forwarding=1')
  t.equal(ndp6d('check', path('ra.conf')).stderr, '')
})

t.test('a file with a warning is good', async (t) => {
  const file = files.path('warn.conf')
  const { status, stdout, stderr } = ndp6d('check', file)
  t.equal(status, 0)
  t.equal(stdout, `${file}: good, with 1 warning. 1 link.\n`)
  t.ok(stderr.startsWith(`${file}:1:7: warning: `))
})

t.test('a bad file: all errors, with their place and a hint', async (t) => {
  const file = files.path('bad.conf')
  for (const args of [['check', file], ['--config', file], ['-c', file]]) {
    const { status, stdout, stderr } = ndp6d(...args)
    t.equal(status, 78, args[0])
    t.equal(stdout, '')
    t.equal(stderr, `${file}:4:10: error: 2001::db8:2 is not inside 2001:db8::/64: expected an address of the subnet
      host 2001::db8:2
           ^~~~~~~~~~~
  hint: did you mean \`2001:db8::2\`?
${file}:6:1: warning: \`proxi\` is not known outside of all blocks; it is ignored
  proxi eth0 {
  ^~~~~
  hint: did you mean \`proxy\`?
${file}:4:10: error: 2001::db8:2 is not inside 2001:db8::/64: expected an address of the subnet (1 error, 1 warning)
`)
  }
})

t.test('a file that does not exist, or cannot be read', async (t) => {
  const file = files.path('no.conf')
  for (const args of [['check', file], ['--config', file]]) {
    const { status, stderr } = ndp6d(...args)
    t.equal(status, 78)
    const [, example] = /an example is (\/\S+);/.exec(stderr) ?? []
    t.equal(stderr, `ndp6d: ${file} does not exist: \`ndp6d init --write ${file}\` makes it from the links and routes of this machine, `
      + `an example is ${example}; or name another file with \`--config FILE\` or \`check FILE\`\n`)
    t.ok(existsSync(example), 'an example that exists')
  }
  const directory = files.path('.')
  t.match(ndp6d('check', directory), { status: 78, stderr: `ndp6d: ${directory} is a directory: name a file in it` })
  const secret = files.path('secret.conf')
  chmodSync(secret, 0)
  // Without capabilities, root is bound by the mode, too.
  const plain = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('check', secret)])
  t.match(plain, { status: 78, stderr: `ndp6d: this user cannot read ${secret}: ` })
})

t.test('--strict refuses warnings, but not those about this machine', async (t) => {
  const file = files.path('warn.conf')
  const { status, stderr, stdout } = ndp6d('check', '--strict', file)
  t.equal(status, 78)
  t.equal(stdout, '')
  t.equal(stderr.trimEnd().split('\n').at(-1),
    `${file}:1:7: warning: \`proxy eth0\` has no rules and answers no solicitation: expected a \`rule\` (1 warning)`)
  t.equal(ndp6d('check', '--strict', files.path('good.conf')).status, 0)
  const other = files.path('links.conf')
  t.match(ndp6d('check', '--strict', other), { status: 0, stdout: `${other}: good, with 2 warnings.` })
})

t.test('links that do not exist, and links without neighbor discovery', async (t) => {
  sh('ip link set tun0 up; ip -6 route add 2001:db8:2::/64 dev tun0')
  const file = files.path('links.conf')
  t.equal(ndp6d('check', file).stderr, `${file}:2:12: warning: no link \`etho\` on this machine: ndp6d waits for it
    upstream etho
             ^~~~
  hint: did you mean \`eth0\`? links here: far-eth0, eth0, far-eth2, eth2, eth1, eth3, tun0
${file}:3:19: warning: on \`tun0\`, a link without neighbor discovery (NOARP), a peer may answer no probe
    downstream eth1 tun*
                    ^~~~
  hint: for such a peer write \`rule ADDRESS/128 { static }\`, or \`host ADDRESS tun0\` in a subnet
${file}:5:7: warning: \`rule 2001:db8:2::/56 { auto }\` leads to \`tun0\`: on \`tun0\`, a link without neighbor discovery (NOARP), a peer may answer no probe
  proxy eth2 {
        ^~~~
  hint: for such a peer write \`rule ADDRESS/128 { static }\`
`)
  const pinned = writeFiles({ 'pinned.conf': readFileSync(file, 'utf8').replace('etho', 'eth0').replace('tun*', 'tun0\nhost 2001:db8::2 tun0').replace('auto', 'static') })
  t.teardown(pinned.close)
  t.notMatch(ndp6d('check', pinned.path('pinned.conf')).stderr, /NOARP/, 'a pinned host needs no probe')
  const path = files.path('bin')
  sh(`mkdir ${path} && printf '#!/bin/sh\\nexit 1\\n' >${path}/ip && chmod +x ${path}/ip`)
  t.match(run(command('check', file), { PATH: `${path}:${process.env.PATH}` }), { status: 0, stderr: '' }, 'unknown links are no problem')
})

t.test('--json', async (t) => {
  const json = (name: string, ...options: string[]): { status: number | null; document: unknown } => {
    const { status, stdout, stderr } = ndp6d('check', '--json', ...options, files.path(name))
    t.equal(stderr, '')
    const document: unknown = JSON.parse(stdout)
    t.same(schemaErrors('check', document), [], name)
    return { status, document }
  }
  t.strictSame(json('bad.conf'), { status: 78, document: { schema: 'ndp6d/check/1', ok: false, files: [files.path('bad.conf')], problems: [
    { file: files.path('bad.conf'), line: 4, column: 10, endColumn: 21, severity: 'error', code: 'outside-subnet', found: '2001::db8:2',
      message: '2001::db8:2 is not inside 2001:db8::/64: expected an address of the subnet',
      hint: 'did you mean `2001:db8::2`?', suggestion: '2001:db8::2' },
    { file: files.path('bad.conf'), line: 6, column: 1, endColumn: 6, severity: 'warning', code: 'unknown-word', found: 'proxi',
      message: '`proxi` is not known outside of all blocks; it is ignored', hint: 'did you mean `proxy`?', suggestion: 'proxy' },
  ] } })
  t.match(json('good.conf'), { status: 0, document: { ok: true, problems: [] } })
  t.match(json('warn.conf'), { status: 0, document: { ok: true, problems: [{ severity: 'warning', suggestion: null }] } })
  t.match(json('warn.conf', '--strict'), { status: 78, document: { ok: false, problems: [{ severity: 'warning' }] } })
  t.match(json('links.conf'), { status: 0, document: { ok: true, problems: [{ code: 'missing-link', found: 'etho', suggestion: 'eth0' }, { code: 'no-neighbor-discovery' }, {}] } })
  t.match(json('no.conf'), { status: 78, document: { ok: false, files: [files.path('no.conf')], problems: [{ code: 'unreadable', line: null, message: /does not exist/ }] } })
  const source = readFileSync(new URL('../../../src/config/diagnostic.ts', import.meta.url), 'utf8')
  const codes = [.../^export type Code =\n((?: {2}\|.*\n)+)/m.exec(source)![1].matchAll(/'([a-z-]+)'/g)].map(([, code]) => code)
  t.same([...schemaOf('check').$defs.problem.properties.code.enum].sort(), [...codes, 'unreadable'].sort(), 'the schema has all codes')
})

t.test('--print writes the effective configuration, which gives the same again', async (t) => {
  sh('ip link set tun0 down')
  const first = ndp6d('check', '--print', files.path('good.conf'))
  t.equal(first.status, 0)
  t.match(first.stdout, /^ {4}downstream eth1 vmtap\*$/m)
  t.match(first.stdout, /^ {4}ttl 10000$/m)
  t.match(first.stdout, /^ {4}deadtime 10000$/m, 'the default of one option follows another')
  const printed = writeFiles({ 'printed.conf': first.stdout })
  t.teardown(printed.close)
  t.match(ndp6d('check', '--print', printed.path('printed.conf')), { status: 0, stdout: first.stdout, stderr: '' })
  t.equal(ndp6d('check', '--print', files.path('bad.conf')).stdout, '')
})

t.test('5000 lines take at most ten times the CPU time of one line, good or bad', async (t) => {
  const hex = (i: number): string => (i + 1).toString(16)
  const file = (size: number, line: (i: number) => string): string =>
    `proxy eth0 {\n${Array.from({ length: size }, (_, i) => line(i)).join('\n')}\n}\n`
  const good = (i: number): string => `  rule 2001:db8:${hex(i)}::/64 { iface tap${i} }`
  const bad = (i: number): string => `  rule 2001:db8:${hex(i)}:/64 { ifcae tap${i} }`
  const many = writeFiles({ 'one.conf': file(1, good), 'good.conf': file(5000, good), 'bad.conf': file(5000, bad) })
  t.teardown(many.close)
  t.equal(ndp6d('check', many.path('good.conf')).stderr.match(/ warning: /g)?.length, 17, 'missing links do not fill the screen')
  const seconds = (name: string, status: number): number => {
    // The second line of times(1p) is the CPU time of the children.
    const { stdout } = run(['sh', '-c', '"$@" >"$0" 2>&1; echo $?; times', many.path('output'), ...command('check', many.path(name))])
    const [line, , children] = stdout.split('\n')
    t.equal(Number(line), status, name)
    return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + 60 * Number(m) + Number(s), 0)
  }
  const one = seconds('one.conf', 0)
  for (const [name, status] of [['good.conf', 0], ['bad.conf', 78]] as const) {
    const took = seconds(name, status)
    t.ok(took > 0 && took < 10 * one, `${took} s and ${one} s`)
  }
  t.equal(readFileSync(many.path('output'), 'utf8').match(/: error: /g)?.length, 10_001, 'every error is reported, the first again at the end')
})
