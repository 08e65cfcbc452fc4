/** The launcher and the native code that it needs: a package on a Node without a build, and a package without native code. */
import t from 'tap'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command, type Ended, run, writeFiles } from './fixtures/program.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COMMANDS = [[], ['--help'], ['check', '/dev/null'], ['status'], ['--bogus']]
const PLATFORM = `${process.platform}-${process.arch}`
const files = writeFiles({
  'ndp6d/package.json': readFileSync(join(ROOT, 'package.json'), 'utf8'),
  'ndp6d.conf': 'proxy lo {\n  rule 2001:db8::/64 { static }\n}\n',
  'fake.cjs': 'for (const [key, value] of Object.entries(JSON.parse(process.env.FAKE))) Object.defineProperty(process.versions, key, { value })',
})
t.teardown(files.close)
mkdirSync(files.path('ndp6d/dist/prebuilds'), { recursive: true })
for (const name of ['ndp6d.cjs', 'main.cjs']) copyFileSync(join(ROOT, 'dist', name), files.path(`ndp6d/dist/${name}`))

function ship(...builds: string[]): void {
  for (const build of builds) mkdirSync(files.path(`ndp6d/dist/prebuilds/${build}`), { recursive: true })
}

/** Runs the packaged program on a Node that claims to have these versions. */
function packaged(args: readonly string[], versions: Readonly<Record<string, string>> = {}): Ended {
  return run([process.execPath, '--require', files.path('fake.cjs'), files.path('ndp6d/dist/ndp6d.cjs'), ...args], { FAKE: JSON.stringify(versions) })
}

t.test('without native code, the commands that need none work; the daemon says what is missing', (t) => {
  t.match(packaged(['--help']), { status: 0, stdout: /Commands:/, stderr: '' })
  t.match(packaged(['--version']), { status: 0, stderr: '' })
  t.match(packaged(['check', files.path('ndp6d.conf')]), { status: 0, stdout: /good/ })
  t.match(packaged(['status']), { status: 3, stderr: /^ndp6d: not running / })
  const { status, stdout, stderr } = packaged(['--config', files.path('ndp6d.conf'), '--log', 'terminal'])
  t.equal(status, 1)
  t.match(stdout, /^\S+ error cannot load native code for Node [\d.]+ \(Cannot find module [^\n]*\): install the package ndp6d again\n$/)
  t.notMatch(stderr, / at /, 'no stack')
  t.end()
})

t.test('a package for other machines says so', (t) => {
  ship('linux-other')
  for (const args of COMMANDS) {
    t.match(packaged(args), { status: 1, stdout: '', stderr: `ndp6d: this package has native code for linux-other, not for ${PLATFORM}: `
      + 'build it on this machine (docs/install.md)\n' }, args.join(' '))
  }
  t.end()
})

t.test('a Node without a build is named, and those that have one', (t) => {
  ship(`${PLATFORM}/raw-socket-abi${process.versions.modules}`)
  t.match(packaged(['--help']), { status: 0, stderr: '' }, 'this Node has one')
  for (const args of COMMANDS) {
    const { status, stdout, stderr } = packaged(args, { node: '25.9.0', modules: '141' })
    t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `ndp6d: this package has no native code for Node 25.9.0 (${process.execPath}), `
        + 'whose ABI is 141: install Node 20.19, 22, 24 or 26, or a newer ndp6d\n' }, args.join(' '))
  }
  t.end()
})

t.test('an old Node is named, and what to install', (t) => {
  for (const node of ['12.22.12', '18.20.8', '20.18.3']) {
    for (const args of node.startsWith('12') ? COMMANDS : [['--help']]) {
      const { status, stdout, stderr } = packaged(args, { node })
      t.same({ status, stdout, stderr }, { status: 1, stdout: '', stderr: `ndp6d: Node ${node} (${process.execPath}) is too old: `
        + 'install Node 20.19, 22, 24 or 26, for instance from https://nodejs.org, and run ndp6d again\n' }, args.join(' '))
    }
  }
  for (const node of ['20.19.0', '22.1.0']) t.equal(packaged(['--version'], { node }).status, 0, node)
  t.end()
})

t.test('in a directory that was deleted', (t) => {
  const inNowhere = (...args: string[]): Ended =>
    run(['sh', '-c', 'cd "$1" && rmdir "$1" && shift && exec "$@"', 'sh', mkdtempSync(files.path('gone-')), ...command(...args)])
  t.match(inNowhere('--help'), { status: 0, stderr: '' })
  t.match(inNowhere('check', files.path('ndp6d.conf')), { status: 0, stdout: /good/ })
  t.match(inNowhere('status'), { status: 3, stderr: /^ndp6d: not running / })
  const inRoot = files.path('ndp6d.conf').slice(1)
  t.match(inNowhere('check', inRoot), { status: 78, stderr: `ndp6d: ${inRoot} does not exist: ` }, 'not below /')
  t.match(inNowhere('check', 'ndp6d.conf'), { status: 78, stderr: /^ndp6d: ndp6d.conf does not exist: / })
  t.end()
})
