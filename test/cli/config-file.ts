/** Included files: relative paths, patterns, unreadable files. */
import t from 'tap'
import { readConfig } from '../../src/cli/config-file.ts'
import { ndp6d, writeFiles } from '../fixtures/program.ts'

const rule = (n: number): string => `proxy eth0 {\n  rule 2001:db8:${n}::/64 { auto }\n}\n`
const files = writeFiles({
  'main.conf': 'include conf.d/*.conf\ninclude one.conf\n',
  'one.conf': rule(9),
  'conf.d/20-b.conf': rule(2),
  'conf.d/10-a.conf': `${rule(1)}include ../deep/inner.conf\n`,
  'conf.d/.hidden.conf': 'not read',
  'conf.d/README': 'not read',
  'deep/inner.conf': rule(5),
  'none.conf': `include empty.d/*.conf\n${rule(1)}`,
  'empty.d/README': '',
  'missing.conf': 'include nowhere.conf\ninclude nowhere/*.conf\n',
  'loop.conf': 'include loop.conf\n',
  'bad.conf': 'include bad.d/*\n',
  'bad.d/x.conf': 'proxy eth0 {\n  rule banana { auto }\n}\n',
})
t.teardown(files.close)

t.test('paths are relative to their file, matches are in the order of their names', (t) => {
  const { config, diagnostics } = readConfig(files.path('main.conf'))
  t.same(diagnostics, [])
  t.same(config!.proxies.flatMap(({ rules }) => rules.map(({ prefix }) => String(prefix))), [1, 5, 2, 9].map((n) => `2001:db8:${n}::/64`))
  t.end()
})

t.test('a pattern may match nothing; a path must exist', (t) => {
  t.equal(ndp6d('check', files.path('none.conf')).status, 0)
  const { status, stderr } = ndp6d('check', files.path('missing.conf'))
  t.equal(status, 78)
  t.match(stderr, /missing\.conf:1:9: error: `.*nowhere\.conf` cannot be read: ENOENT/)
  t.match(stderr, /missing\.conf:2:9: error: `nowhere\/\*\.conf` cannot be read: ENOENT/)
  t.end()
})

t.test('a file that includes itself', (t) => {
  t.match(ndp6d('check', files.path('loop.conf')), { status: 78, stderr: /includes itself/ })
  t.end()
})

t.test('errors of an included file have its own path', (t) => {
  t.match(ndp6d('check', files.path('bad.conf')), { status: 78, stderr: `${files.path('bad.d/x.conf')}:2:8: error: ` })
  t.end()
})

t.test('the file itself does not exist', (t) => {
  t.throws(() => readConfig(files.path('no.conf')), { code: 'ENOENT' })
  t.end()
})
