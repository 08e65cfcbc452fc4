/**
 * The completions for bash, zsh and fish have all commands, options and words of the program, and no others. Those of fish run in fish,
 * and those of zsh in a terminal with zsh, too.
 */
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

const REPLY = 'ADDRESS LINK\\n2001:db8::2 eth1\\n2001:db9::3 eth1\\nhosts: 2\\n'

/** @returns what a shell printed */
function run(shell: string, args: readonly string[], script: string, file: string, ...rest: string[]): string {
  const { stdout, stderr, error } = spawnSync(shell, [...args, script, ...shell === 'fish' ? [] : [shell], join(FOLDER, file), ...rest],
    { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL', env: { PATH: process.env.PATH, TERM: 'dumb', COLUMNS: '80', LINES: '24', HOME: '/run' } })
  if (error !== undefined) throw new Error(`${error.message}: ${stderr}`)
  return stdout
}

/** @returns what fish offers at the end of `line`, sorted */
function fish(line: string): string[] {
  return run('fish', ['--no-config', '-c'], `function ndp6d; printf '${REPLY}'; end; source $argv[1]; complete -C $argv[2]`, 'ndp6d.fish', line)
    .trimEnd().split('\n').map((offer) => offer.split('\t')[0]).sort()
}

function expected(command: string): string[] {
  return [...new Set([...optionsOf(command), '--help', ...command === '' ? ['--version'] : []])].sort()
}

/** @returns the first group of the pattern, as words */
function list(text: string, pattern: RegExp): string[] { return pattern.exec(text)?.[1].trim().split(/\s+/) ?? [] }

t.test('commands', async (t) => {
  t.same(list(bash, /\n {12}values='([^']*)'/).sort(), NAMES)
  t.same(list(bash, /\n {12}([a-z| -]+)\) command=\$word/).filter((word) => word !== '|').sort(), NAMES)
  t.same([...zsh.matchAll(/^ {8}'([a-z-]+):/gm)].map(([, name]) => name).sort(), NAMES)
  t.same(fish('ndp6d '), NAMES)
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
  for (const command of ALL) {
    t.same(fish(`ndp6d ${command} -`), expected(command), command)
  }
})

t.test('words of options', async (t) => {
  const kinds: readonly string[] = [...PACKET_KINDS, ...EVENT_KINDS]
  t.same(list(bash, /--kind\) _ndp6d_list '([^']*)'/), kinds)
  t.same(list(zsh, /:kind:_values -s , kind ([^']*)'/), kinds)
  t.same(fish('ndp6d monitor --kind '), [...kinds].sort())
  for (const option of ['level', 'log']) {
    const { choices } = argumentsOf('')[option]
    t.same(list(bash, new RegExp(`--${option}\\) .*-W '([^']*)'`)), choices, `bash: ${option}`)
    t.same(list(zsh, new RegExp(`'--${option}\\[.*:\\(([^)]*)\\)'`)), choices, `zsh: ${option}`)
    t.same(fish(`ndp6d --${option} `), [...choices as string[]].sort(), `fish: ${option}`)
  }
})

t.test('addresses of the running daemon', async (t) => {
  t.equal(run('bash', ['-c'], `
    _init_completion() { words=(ndp6d explain 2001:db8:); cword=2; cur=2001:db8:; prev=explain; }
    __ltrim_colon_completions() { :; }
    ndp6d() { printf '${REPLY}'; }
    source "$1"
    _ndp6d
    printf '%s\\n' "\${COMPREPLY[@]}"`, 'ndp6d.bash'), '2001:db8::2\n')
  t.same(fish('ndp6d explain 2001:db8:'), ['2001:db8::2'])
  t.same(fish('ndp6d status '), ['2001:db8::2', '2001:db9::3', 'drops', 'hosts', 'limits'])
})

t.test('a terminal with zsh', async (t) => {
  const typed = (line: string, last: string): string => run('zsh', ['-f', '-c'], `
    zmodload zsh/zpty
    zpty zsh zsh -f -i
    zpty -w zsh "fpath=(\${1:h} \\$fpath); setopt no_beep; autoload -Uz compinit; compinit -u -D; ndp6d() { printf '${REPLY}' }; echo rea\\dy"
    zpty -r zsh out '*ready*'
    zpty -w -n zsh "$2"$'\\t'
    zpty -r zsh out "*$3*" && print -r -- "$out"`, '_ndp6d', line, last)
  t.match(typed('ndp6d ', 'status '), /^check +-- check a configuration\s[^]*^report +-- /m)
  t.match(typed('ndp6d explain 2001:db8:', '::2'), /ndp6d explain 2001:db8::2/)
  t.match(typed('ndp6d status ', 'limits'), /^2001:db8::2 +2001:db9::3 +drops +hosts +limits/m)
  t.match(typed('ndp6d --lo', 'log'), /ndp6d --log/)
})
