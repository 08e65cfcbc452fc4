/** `ndp6d check`: exit statuses, and what is written where. What is good or bad is tested in test/config. */
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

t.test('a good file', (t) => {
  const file = files.path('good.conf')
  t.match(ndp6d('check', file), { status: 0, stdout: `${file}: good\n`, stderr: '' })
  t.end()
})

t.test('a file with a warning is good', (t) => {
  const file = files.path('warn.conf')
  const { status, stdout, stderr } = ndp6d('check', file)
  t.equal(status, 0)
  t.equal(stdout, `${file}: good, with 1 warning\n`)
  t.ok(stderr.startsWith(`${file}:1:7: warning: `))
  t.end()
})

t.test('a bad file: all that is wrong, where, and what was meant', (t) => {
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
  t.end()
})

t.test('a file that is not there, or not to be read', (t) => {
  const file = files.path('no.conf')
  for (const args of [['check', file], ['--config', file]]) {
    const { status, stderr } = ndp6d(...args)
    t.equal(status, 78)
    t.equal(stderr, `ndp6d: there is no ${file}: write it, or name another with \`--config FILE\` or \`check FILE\`\n`)
  }
  const directory = files.path('.')
  t.match(ndp6d('check', directory), { status: 78, stderr: `ndp6d: cannot read ${directory}: EISDIR` })
  const secret = files.path('secret.conf')
  chmodSync(secret, 0)
  // Not even root gets past the mode without capabilities.
  const plain = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('check', secret)])
  t.match(plain, { status: 78, stderr: `ndp6d: ${secret} cannot be read by this user` })
  t.end()
})

t.test('--print gives the effective configuration, which reads back as the same', (t) => {
  const first = ndp6d('check', '--print', files.path('good.conf'))
  t.equal(first.status, 0)
  t.match(first.stdout, /^ {4}downstream eth1 vmtap\*$/m)
  t.match(first.stdout, /^ {4}ttl 10000$/m)
  t.match(first.stdout, /^ {4}deadtime 10000$/m, 'the default of one option follows another')
  const printed = writeFiles({ 'printed.conf': first.stdout })
  t.teardown(printed.close)
  t.match(ndp6d('check', '--print', printed.path('printed.conf')), { status: 0, stdout: first.stdout, stderr: '' })
  t.equal(ndp6d('check', '--print', files.path('bad.conf')).stdout, '')
  t.end()
})

t.test('thousands of lines in less than a second, good or bad', (t) => {
  const lines = (line: (i: number) => string): string => Array.from({ length: 5000 }, (_, i) => `${line(i)}\n`).join('')
  const hex = (i: number): string => (i + 1).toString(16)
  const many = writeFiles({
    'good.conf': `proxy eth0 {\n${lines((i) => `  rule 2001:db8:${hex(i)}::/64 { iface tap${i} }`)}}\n`,
    'bad.conf': `proxy eth0 {\n${lines((i) => `  rule 2001:db8:${hex(i)}:/64 { ifcae tap${i} }`)}}\n`,
  })
  t.teardown(many.close)
  for (const [name, status] of [['good.conf', 0], ['bad.conf', 78]] as const) {
    // Of the processor's time, since others may want it too (times(1p): the second line is that of the children).
    const { stdout } = run(['sh', '-c', '"$@" >"$0" 2>&1; echo $?; times', many.path('output'), ...command('check', many.path(name))])
    const [line, , children] = stdout.split('\n')
    t.equal(Number(line), status, name)
    const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + 60 * Number(m) + Number(s), 0)
    t.ok(seconds > 0 && seconds < 1, `${seconds} s`)
  }
  t.equal(readFileSync(many.path('output'), 'utf8').match(/: error: /g)?.length, 10_000, 'every mistake is told')
  t.end()
})
