/** The command line: help, version, errors. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { command, ndp6d, run } from './fixtures/program.ts'

const ERRORS: readonly (readonly [string[], RegExp])[] = [
  [['--bogus'], /^ndp6d: unknown option --bogus\n/],
  [['stats'], /^ndp6d: unknown command "stats"/],
  [['--state'], /^ndp6d: option --state has no value/],
  [['--log', 'file'], /^ndp6d: "file" is not a value of --log/],
]

t.test('--help has every command and option', (t) => {
  const { status, stdout, stderr } = ndp6d('--help')
  t.equal(status, 0)
  t.equal(stderr, '')
  for (const word of ['check [FILE]', 'status', 'metrics', 'cleanup', '--config', '--level', '--log', '--state', '--version', '/etc/ndp6d.conf']) {
    t.ok(stdout.includes(word), word)
  }
  t.match(ndp6d('check', '--help').stdout, '--print')
  t.end()
})

t.test('--version is the version of the package', (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  t.match(ndp6d('--version'), { status: 0, stdout: `${version}\n`, stderr: '' })
  t.end()
})

t.test('an error on the command line', (t) => {
  for (const [args, message] of ERRORS) {
    const { status, stdout, stderr } = ndp6d(...args)
    t.equal(status, 2, args.join(' '))
    t.match(stderr, message)
    t.match(stderr, /Try `ndp6d --help`\.\n$/)
    t.equal(stdout, '')
  }
  t.end()
})

t.test('the language is English in every locale', (t) => {
  const { stderr } = run(command('--bogus'), { LC_ALL: 'de_DE.UTF-8', LANG: 'de_DE.UTF-8' })
  t.match(stderr, /^ndp6d: unknown option --bogus/)
  t.end()
})
