import t from 'tap'
import type { Diagnostic } from '../../src/config/diagnostic.ts'
import type { Included, ReadInclude } from '../../src/config/load.ts'
import { parseConfig } from '../../src/config/load.ts'

const RULE = '{ rule 2001:db8::/64 { auto } }\n'

/** Reads from `files`: a name, or everything that begins as the text before a `*`. */
function reading(files: Readonly<Record<string, string>>): ReadInclude {
  return (glob) => Object.entries(files)
    .filter(([file]) => glob.endsWith('*') ? file.startsWith(glob.slice(0, -1)) : file === glob)
    .map(([file, text]) => ({ file, text }))
}

function said(diagnostics: readonly Diagnostic[]): string[] {
  return diagnostics.map((d) => `${d.file}:${d.line}:${d.column} ${d.severity} ${d.message}`)
}

t.test('includes stand where they are named', async (t) => {
  const { config, diagnostics } = parseConfig(`proxy a ${RULE}include d/*\nproxy d ${RULE}`, 'main',
    reading({ 'd/1': `proxy b ${RULE}`, 'd/2': `\ufeffproxy c ${RULE}forwarding yes` }))
  t.same(said(diagnostics), [])
  t.same(config?.proxies.map(({ iface }) => iface), ['a', 'b', 'c', 'd'])
  t.equal(config?.forwarding, true)
})

t.test('the function is told the pattern and the file it stands in', async (t) => {
  const asked: string[] = []
  parseConfig('include "a b" c\n', 'main', (glob, from) => {
    asked.push(`${from}: ${glob}`)
    return glob === 'c' ? [{ file: 'dir/c', text: 'include x' }] : []
  })
  t.same(asked, ['main: a b', 'main: c', 'dir/c: x'])
})

t.test('problems of all files in one run, in their order', async (t) => {
  const { config, diagnostics } = parseConfig('ttl 5\ninclude a\nproxy\n', 'main', reading({ a: '\n  grace x' }))
  t.equal(config, undefined)
  t.match(said(diagnostics), [/^main:1:1 warning `ttl`/, /^main:3:1 error `proxy`/, /^a:2:9 error `x`/])
  t.equal(diagnostics[2].text, '  grace x')
})

t.test('the first of two values counts, wherever it stands', async (t) => {
  const { config, diagnostics } = parseConfig(`include a\ngrace 7\nproxy e ${RULE}`, 'main', reading({ a: 'grace 5' }))
  t.equal(config?.grace, 5)
  t.match(said(diagnostics), ['main:2:1 warning `grace` is set already at a line 1'])
})

t.test('cycles, depth, repetition', async (t) => {
  t.match(said(parseConfig('include a', 'main', reading({ a: 'include main', main: '' })).diagnostics),
    ['a:1:9 error `main` includes itself'])
  t.match(said(parseConfig('include a a', 'main', reading({ a: `proxy e ${RULE}` })).diagnostics),
    ['main:1:11 warning `a` is included already'])
  const deep = parseConfig('include 1', 'main', (glob) => [{ file: glob, text: `include ${Number(glob) + 1}` }])
  t.match(said(deep.diagnostics), ['8:1:9 error nested too deep'])
})

t.test('what cannot be read', async (t) => {
  const broken: ReadInclude = (glob): Included[] => {
    if (glob === 'dir/*') throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
    return [{ file: glob, error: 'is a directory' }]
  }
  t.match(said(parseConfig('include dir/* d\n', 'main', broken).diagnostics), [
    'main:1:9 error `dir/*` cannot be read: EACCES: permission denied',
    'main:1:15 error `d` cannot be read: is a directory',
  ])
  t.match(said(parseConfig(`include d/*.conf\nproxy e ${RULE}`, 'main').diagnostics),
    ['main:1:9 warning `d/*.conf` matches no file'])
  t.match(said(parseConfig('include d.conf\n', 'main').diagnostics), ['main:1:9 error `d.conf` does not exist'])
  t.match(said(parseConfig('include\ninclude ""', 'main').diagnostics),
    ['main:1:1 error `include` has no value', 'main:2:9 error'])
  t.throws(() => parseConfig('include x', 'main', () => { throw new TypeError('a bug') }), 'bugs are not hidden')
})

t.test('an include elsewhere is misplaced', async (t) => {
  t.match(said(parseConfig(`proxy e { include a\nrule 2001:db8::/64 { auto } }`, 'main').diagnostics),
    ['main:1:11 warning `include` has no meaning in a `proxy` block'])
})

t.test('large files take time in proportion', async (t) => {
  const rules = (count: number): string => {
    const lines = Array.from({ length: count }, (_, i) => {
      return `  rule 2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64 {\n    iface vmtap${i}\n  }`
    })
    return `proxy eth0 {\n${lines.join('\n')}\n}\n`
  }
  parseConfig(rules(100), 'warm-up')
  const elapsed = (count: number): number => {
    const start = performance.now()
    t.equal(parseConfig(rules(count), 'main').config?.proxies[0].rules.length, count)
    return performance.now() - start
  }
  const small = elapsed(1666) // 5000 lines
  t.ok(small < 500, `5000 lines in ${small.toFixed()} ms`)
  const large = elapsed(50_000)
  t.ok(large < 3000, `150 000 lines in ${large.toFixed()} ms`)
})

t.test('nothing makes it slow', async (t) => {
  const pieces = [
    '{', '}', ';', '; ', '"', "' ", '=', '/*', 'a', '1', 'a:', '\u00a0', 'iface ', 'rule ::1 ', 'a b\n', 'a }']
  for (const piece of pieces) {
    for (const lead of ['', 'proxy e { rule ', 'proxy e { rule ::1 { iface ', 'subnet ']) {
      const start = performance.now()
      parseConfig(lead + piece.repeat(20_000), 'main')
      const took = performance.now() - start
      t.ok(took < 1000, `${lead}${piece.trim()}... in ${took.toFixed()} ms`)
    }
  }
})
