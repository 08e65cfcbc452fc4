/** The completions for bash, zsh and fish have all commands, options and words of the program, and no others. */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EVENT_KINDS, PACKET_KINDS } from '../src/replies/event-filter.ts'
import { argumentsOf, NAMES, optionsOf } from './kit/options.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'completion')
const ALL = ['', ...NAMES]
const bash = readFileSync(join(FOLDER, 'ndp6d.bash'), 'utf8')
const zsh = readFileSync(join(FOLDER, '_ndp6d'), 'utf8')
const fish = readFileSync(join(FOLDER, 'ndp6d.fish'), 'utf8')

function expected(command: string): string[] {
  return [...new Set([...optionsOf(command), '--help', ...command === '' ? ['--version'] : []])].sort()
}

/** @returns the first group of the pattern, as words */
function list(text: string, pattern: RegExp): string[] { return pattern.exec(text)?.[1].trim().split(/\s+/) ?? [] }

t.test('commands', async (t) => {
  t.same(list(bash, /\n {12}values='([^']*)'/).sort(), NAMES)
  t.same(list(bash, /\n {12}([a-z| -]+)\) command=\$word/).filter((word) => word !== '|').sort(), NAMES)
  t.same([...zsh.matchAll(/^ {8}'([a-z-]+):/gm)].map(([, name]) => name).sort(), NAMES)
  t.same([...fish.matchAll(/-n '__fish_use_subcommand' -a ([a-z-]+) -d /g)].map(([, name]) => name).sort(), NAMES)
})

t.test('options of bash', async (t) => {
  for (const command of ALL) {
    t.same(list(bash, new RegExp(`^ {8}${command || "''"}\\) options='([^']*)'`, 'm')).sort(), expected(command), command)
  }
})

t.test('options of zsh', async (t) => {
  for (const command of ALL) {
    const start = command === '' ? '_arguments -C' : `\n {8}${command}\\) _arguments`
    const [, block = ''] = new RegExp(`${start}([^]*?)(?:;;|\\n\\n)`).exec(zsh) ?? []
    t.same([...block.matchAll(/(?<![\w-])(--?[a-z][a-z-]*)(?=[[,}])/g)].map(([, option]) => option).sort(), expected(command), command)
  }
})

t.test('options of fish', async (t) => {
  const found = new Map<string, string[]>(ALL.map((command) => [command, []]))
  for (const line of fish.split('\n').filter((each) => each.startsWith('complete '))) {
    const [, condition] = / -n '([^']*)'/.exec(line) ?? []
    const commands = condition === undefined ? ALL : condition === '__fish_use_subcommand' ? [''] : condition.split(' ').slice(1)
    const options = [...line.matchAll(/ -(?:s (\w)|l ([a-z-]+))/g)].map(([, short, long]) => short === undefined ? `--${long}` : `-${short}`)
    for (const command of commands) found.get(command)?.push(...options)
  }
  for (const [command, options] of found) t.same(options.sort(), expected(command), command)
})

t.test('words of options', async (t) => {
  const kinds: readonly string[] = [...PACKET_KINDS, ...EVENT_KINDS]
  t.same(list(bash, /--kind\) _ndp6d_list '([^']*)'/), kinds)
  t.same(list(zsh, /:kind:_values -s , kind ([^']*)'/), kinds)
  t.same(list(fish, /-l kind -x -a '([^']*)'/), kinds)
  for (const option of ['level', 'log']) {
    const { choices } = argumentsOf('')[option]
    t.same(list(bash, new RegExp(`--${option}\\) .*-W '([^']*)'`)), choices, `bash: ${option}`)
    t.same(list(zsh, new RegExp(`'--${option}\\[.*:\\(([^)]*)\\)'`)), choices, `zsh: ${option}`)
    t.same(list(fish, new RegExp(`-l ${option} -x -a '([^']*)'`)), choices, `fish: ${option}`)
  }
})

t.test('bash completes the addresses of the running daemon', async (t) => {
  const { stdout } = spawnSync('bash', ['-c', `
    _init_completion() { words=(ndp6d explain 2001:db8:); cword=2; cur=2001:db8:; prev=explain; }
    __ltrim_colon_completions() { :; }
    ndp6d() { printf 'ADDRESS LINK\\n2001:db8::2 eth1\\n2001:db9::3 eth1\\nhosts: 2\\n'; }
    source "$1"
    _ndp6d
    printf '%s\\n' "\${COMPREPLY[@]}"`, 'bash', join(FOLDER, 'ndp6d.bash')], { encoding: 'utf8' })
  t.equal(stdout, '2001:db8::2\n')
})
