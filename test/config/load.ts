import t from 'tap'
import type { Diagnostic } from '../../src/config/diagnostic.ts'
import { type Included, parseConfig, type ReadInclude } from '../../src/config/load.ts'

const RULE = '{ rule 2001:db8::/64 { auto } }\n'

/** Reads from `files`: the file of a name, or all files that begin with the text before a `*`. */
function reading(files: Readonly<Record<string, string>>): ReadInclude {
  return (glob) => Object.entries(files).filter(([file]) => glob.endsWith('*') ? file.startsWith(glob.slice(0, -1)) : file === glob)
    .map(([file, text]) => ({ file, text }))
}

function problems(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map((d) => `${d.file}:${d.line}:${d.column} ${d.severity} ${d.message}`)
}

t.test('included statements replace the include', async (t) => {
  const { config, diagnostics } = parseConfig(`proxy a ${RULE}include d/*\nproxy d ${RULE}`, 'main',
    reading({ 'd/1': `proxy b ${RULE}`, 'd/2': `\ufeffproxy c ${RULE}forwarding yes` }))
  t.same(problems(diagnostics), [])
  t.same(config?.proxies.map(({ iface }) => iface), ['a', 'b', 'c', 'd'])
  t.equal(config?.forwarding, true)
})

t.test('readInclude receives the pattern and the including file', async (t) => {
  const calls: string[] = []
  parseConfig('include "a b" c\n', 'main', (glob, from) => {
    calls.push(`${from}: ${glob}`)
    return glob === 'c' ? [{ file: 'dir/c', text: 'include x' }] : []
  })
  t.same(calls, ['main: a b', 'main: c', 'dir/c: x'])
})

t.test('problems are in the order of files and lines', async (t) => {
  const { config, diagnostics } = parseConfig('ttl 5\ninclude a\nproxy\n', 'main', reading({ a: '\n  grace x' }))
  t.equal(config, undefined)
  t.match(problems(diagnostics), [/^main:1:1 warning `ttl`/, /^main:3:1 error `proxy`/, /^a:2:9 error `x`/])
  t.equal(diagnostics[2].text, '  grace x')
})

t.test('the first of two values is used, also across files', async (t) => {
  const { config, diagnostics } = parseConfig(`include a\ngrace 7\nproxy e ${RULE}`, 'main', reading({ a: 'grace 5' }))
  t.equal(config?.grace, 5)
  t.match(problems(diagnostics), ['main:2:1 warning duplicate `grace`, first at a line 1'])
})

t.test('cycles, depth, repetition', async (t) => {
  t.match(problems(parseConfig('include a', 'main', reading({ a: 'include main', main: '' })).diagnostics),
    ['a:1:9 error `main` includes itself'])
  t.match(problems(parseConfig('include a a', 'main', reading({ a: `proxy e ${RULE}` })).diagnostics),
    ['main:1:11 warning duplicate include of `a`'])
  const deep = parseConfig('include 1', 'main', (glob) => [{ file: glob, text: `include ${Number(glob) + 1}` }])
  t.match(problems(deep.diagnostics), ['8:1:9 error include is nested too deeply'])
})

t.test('unreadable includes', async (t) => {
  const broken: ReadInclude = (glob): Included[] => {
    if (glob === 'dir/*') throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    return [{ file: glob, error: 'is a directory' }]
  }
  t.match(problems(parseConfig('include dir/* d\n', 'main', broken).diagnostics), [
    'main:1:9 error `dir/*` cannot be read: EACCES: permission denied',
    'main:1:15 error `d` cannot be read: is a directory',
  ])
  t.match(problems(parseConfig(`include d/*.conf\nproxy e ${RULE}`, 'main').diagnostics), ['main:1:9 warning `d/*.conf` matches no file: nothing was read'])
  t.match(problems(parseConfig('include d/*.conf\n', 'main').diagnostics), [/matches no file/, /^main:1:17 warning nothing is proxied/], 'cause first')
  t.match(problems(parseConfig('include d.conf\n', 'main').diagnostics), ['main:1:9 error `d.conf` does not exist'])
  t.match(problems(parseConfig('include\ninclude ""', 'main').diagnostics), ['main:1:1 error `include` has no value', 'main:2:9 error'])
  t.throws(() => parseConfig('include x', 'main', () => { throw new TypeError('a bug') }), 'other errors are thrown')
})

t.test('an include inside a block is not allowed', async (t) => {
  t.match(problems(parseConfig(`proxy e { include a\nrule 2001:db8::/64 { auto } }`, 'main').diagnostics),
    ['main:1:11 warning `include` is not allowed in a `proxy` block'])
})

/** CPU time of one parse, in ms: unlike elapsed time it does not grow with the load of the machine. */
function cpuTime(text: string): number {
  const start = process.cpuUsage()
  parseConfig(text, 'main')
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1000
}

/** Returns whether 8 times the text takes less than 24 times the CPU time, of which at least `floor` ms count. */
function isLinear(text: (count: number) => string, count: number, floor = 0): boolean {
  const isFast = (): boolean => cpuTime(text(8 * count)) < 24 * Math.max(floor, cpuTime(text(count)))
  // Garbage collection and compilation may fall into one attempt.
  return isFast() || isFast() || isFast()
}

function rules(count: number): string {
  const lines = Array.from({ length: count }, (_, i) => {
    return `  rule 2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64 {\n    iface vmtap${i}\n  }`
  })
  return `proxy eth0 {\n${lines.join('\n')}\n}\n`
}

t.test('time is linear in the size of the file', async (t) => {
  t.equal(parseConfig(rules(2000), 'main').config?.proxies[0].rules.length, 2000)
  t.ok(isLinear(rules, 2000))
  const floor = cpuTime(rules(2000)) / 8
  const pieces = [
    '{', '}', ';', '; ', '"', "' ", '=', '/*', 'a', '1', 'a:', '\u00a0', 'iface ', 'rule ::1 ', 'a b\n', 'a }']
  for (const piece of pieces) {
    for (const lead of ['', 'proxy e { rule ', 'proxy e { rule ::1 { iface ', 'subnet ']) {
      t.ok(isLinear((count) => lead + piece.repeat(count), 1250, floor), `${lead}${piece.trim()}...`)
    }
  }
})
