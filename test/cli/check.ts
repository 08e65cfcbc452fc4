/** `ndp6d check`: exit statuses and output. The diagnostics are tested in test/config. */
import t from 'tap'
import { chmodSync, readFileSync } from 'node:fs'
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
const files = writeFiles({ 'good.conf': GOOD, 'bad.conf': BAD, 'secret.conf': GOOD, 'warn.conf': 'proxy eth0 {\n}\n' })
t.teardown(files.close)

t.test('a good file', async (t) => {
  const file = files.path('good.conf')
  t.match(ndp6d('check', file), { status: 0, stdout: `${file}: good\n`, stderr: '' })
})

t.test('a file with a warning is good', async (t) => {
  const file = files.path('warn.conf')
  const { status, stdout, stderr } = ndp6d('check', file)
  t.equal(status, 0)
  t.equal(stdout, `${file}: good, with 1 warning\n`)
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
`)
  }
})

t.test('a file that does not exist, or cannot be read', async (t) => {
  const file = files.path('no.conf')
  for (const args of [['check', file], ['--config', file]]) {
    const { status, stderr } = ndp6d(...args)
    t.equal(status, 78)
    t.equal(stderr, `ndp6d: ${file} does not exist: create it, or name another file with \`--config FILE\` or \`check FILE\`\n`)
  }
  const directory = files.path('.')
  t.match(ndp6d('check', directory), { status: 78, stderr: `ndp6d: cannot read ${directory}: EISDIR` })
  const secret = files.path('secret.conf')
  chmodSync(secret, 0)
  // Without capabilities, root is bound by the mode, too.
  const plain = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('check', secret)])
  t.match(plain, { status: 78, stderr: `ndp6d: this user cannot read ${secret}: ` })
})

t.test('--print writes the effective configuration, which gives the same again', async (t) => {
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
  t.equal(readFileSync(many.path('output'), 'utf8').match(/: error: /g)?.length, 10_000, 'every error is reported')
})
