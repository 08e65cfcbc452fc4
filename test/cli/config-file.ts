/** Included files: relative paths, patterns, unreadable files, other types of files. */
import t from 'tap'
import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { relative } from 'node:path'
import { ConfigFile, readConfig } from '../../src/cli/config-file.ts'
import { command, ndp6d, run, writeFiles } from '../fixtures/program.ts'
import { sh } from '../kit/namespace.ts'

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
  'directory.conf': 'include empty.d/\n',
  'loop.conf': 'include loop.conf\n',
  'loop-with-block.conf': 'include loop-with-block.conf\nsubnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n}\n',
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
  t.match(stderr, /missing\.conf:1:9: error: `.*nowhere\.conf` cannot be read: it does not exist/)
  t.match(stderr, `missing.conf:2:9: error: \`nowhere/*.conf\` cannot be read: the directory ${files.path('nowhere')} does not exist`)
  t.match(ndp6d('check', files.path('directory.conf')),
    { status: 78, stderr: `cannot be read: it is a directory: write \`empty.d/*.conf\`` })
  t.end()
})

t.test('included files that were changed, added or removed since the last reading', (t) => {
  const folder = writeFiles({ 'main.conf': 'include one.conf\ninclude conf.d/*.conf\n', 'one.conf': rule(1), 'conf.d/a.conf': rule(2) })
  const file = new ConfigFile(folder.path('main.conf'))
  const isTouched = (): boolean => {
    const touched = file.isTouched
    file.read()
    return touched
  }
  file.read()
  t.equal(isTouched(), false)
  for (const name of ['one.conf', 'conf.d/a.conf', 'conf.d/b.conf']) {
    writeFileSync(folder.path(name), `${rule(3)}\n`)
    t.equal(isTouched(), true, name)
  }
  rmSync(folder.path('conf.d/b.conf'))
  t.equal(isTouched(), true, 'removed')
  t.equal(isTouched(), false)
  folder.close()
  t.end()
})

t.test('a text of another kind', (t) => {
  const folder = writeFiles({ 'syslog': 'Nov 30 host sshd[1]: closed\n'.repeat(5000) })
  const { status, stderr } = ndp6d('check', folder.path('syslog'))
  t.equal(status, 78)
  t.match(stderr, /more than 100 statements outside of blocks are unknown: the further ones are not reported\n.*\n.*\n {2}hint: is this a configuration of ndp6d\?\n[^]*\(1 error, 100 warnings\)\n$/)
  folder.close()
  t.end()
})

t.test('a file that includes itself', (t) => {
  t.match(ndp6d('check', files.path('loop.conf')), { status: 78, stderr: /includes itself/ })
  t.match(ndp6d('check', relative(process.cwd(), files.path('loop-with-block.conf'))), { status: 78, stderr: /includes itself[^]*\(1 error\)\n$/ },
    'a relative path is the same file: its blocks are no duplicates')
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

t.test('an included file that is not a regular file is an error, and is not waited for', async (t) => {
  const folder = writeFiles({ 'main.conf': `include conf.d/*\n${rule(1)}`, 'one.conf': `include conf.d/fifo\n${rule(1)}`, 'conf.d/directory/x': '' })
  t.teardown(folder.close)
  const server = createServer().listen(folder.path('conf.d/socket'))
  t.teardown(() => server.close())
  sh(`cd ${folder.path('conf.d')} && mkfifo fifo && ln -s fifo link && ln -s /dev/zero device`)
  const { status, stderr } = ndp6d('check', folder.path('main.conf'))
  t.equal(status, 78)
  for (const name of ['device', 'directory', 'fifo', 'link', 'socket']) {
    t.match(stderr, `main.conf:1:9: error: \`${folder.path(`conf.d/${name}`)}\` cannot be read: not a regular file: move it away, or`, name)
  }
  t.match(ndp6d('check', folder.path('one.conf')), { status: 78, stderr: /fifo` cannot be read: not a regular file/ })
  t.throws(() => readConfig(folder.path('conf.d/fifo'), true), { code: 'EINVAL', message: /^not a regular file: it cannot be read again/ })
})

t.test('the file itself may be a pipe', async (t) => {
  t.match(run(['sh', '-c', 'printf %s "$TEXT" | "$@"', 'sh', ...command('check', '/dev/stdin')], { TEXT: rule(1) }),
    { status: 0, stdout: /^\/dev\/stdin: good.* 1 rule/ })
  t.match(run(['bash', '-c', '"$@" <(printf %s "$TEXT")', 'bash', ...command('check')], { TEXT: rule(1) }),
    { status: 0, stdout: /: good.* 1 rule/ })
  const fifo = files.path('fifo')
  sh(`mkfifo ${fifo}`)
  const writer = spawn('sh', ['-c', `printf '%s' "$TEXT" >${fifo}`], { env: { ...process.env, TEXT: rule(1) } })
  t.match(ndp6d('check', fifo), { status: 0, stdout: `${fifo}: good` })
  writer.kill()
})
