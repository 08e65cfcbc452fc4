/** The manual pages and the program are equal, in both directions: what one of them has, the other has, too. */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from '../src/cli/exit.ts'
import type { Settings } from '../src/config/config.ts'
import { DEFAULTS, SUBNET_DEFAULTS, TOP_DEFAULTS } from '../src/config/defaults.ts'
import { parseConfig } from '../src/config/load.ts'
import { OPTIONS, type Option } from '../src/config/option-table.ts'
import { CHECKS } from '../src/doctor/doctor.ts'
import { LIMIT_NAMES } from '../src/events.ts'
import { METRICS } from '../src/exporter/catalog.ts'
import { journalName } from '../src/log/journal-entry.ts'
import { MESSAGE_IDS, PROBLEMS } from '../src/log/message-ids.ts'
import { EVENT_KINDS, PACKET_KINDS } from '../src/replies/event-filter.ts'
import { type CounterKind, DAEMON_STATES, LINK_STATES, NEIGHBOR_STATES, OUTCOMES } from '../src/replies/meanings.ts'
import { type Entry, readPage, sectionOf, words } from './kit/mdoc.ts'
import { argumentsOf, isPositional, NAMES, optionsOf } from './kit/options.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const commandsPage = readPage('ndp6d.8')
const configPage = readPage('ndp6d.conf.5')

function source(path: string): string { return readFileSync(join(ROOT, 'src', path), 'utf8') }

/** @returns the entries of one section of ndp6d(8), or of one part of it */
function entriesOf(section: string, part?: string): Entry[] {
  return commandsPage.entries.filter((entry) => entry.section === section && (part === undefined || entry.part === part))
}

/** @returns the words that a section of ndp6d(8) explains, sorted */
function explained(section: string, part?: string, macro = 'Cm'): string[] {
  return entriesOf(section, part).flatMap(({ head }) => words(head, macro)).sort()
}

/** @returns the options of a command as they follow the macro `Fl`, sorted */
function flagsOf(command: string): string[] {
  return [...optionsOf(command), ...command === '' ? ['--help', '--version'] : []].map((option) => option.slice(1)).sort()
}

const common = explained('COMMON OPTIONS', undefined, 'Fl')
const commandEntries = entriesOf('COMMANDS').filter(({ outer }) => outer === undefined)
const nameOf = ({ head }: Entry): string => words(head, 'Ic')[0]

t.test('commands and their arguments', async (t) => {
  t.same(commandEntries.map(nameOf).sort(), NAMES)
  for (const entry of commandEntries) {
    t.same(words(entry.head, 'Ar'), Object.keys(argumentsOf(nameOf(entry))).filter(isPositional), nameOf(entry))
  }
})

t.test('the synopsis has all options of each command', async (t) => {
  const found = new Map<string, string[]>()
  for (const text of `\n${sectionOf(commandsPage, 'SYNOPSIS')}\n`.split('\n.Nm\n').slice(1)) {
    const [command = ''] = words(text, 'Ic')
    found.set(command, [...found.get(command) ?? [], ...words(text, 'Fl')].sort())
  }
  t.same([...found.keys()].sort(), ['', ...NAMES])
  for (const [command, flags] of found) t.same(flags, flagsOf(command), command)
})

t.test('each option has a text', async (t) => {
  t.same(explained('OPTIONS', undefined, 'Fl'), flagsOf(''))
  for (const name of NAMES) {
    const own = entriesOf('COMMANDS').filter(({ outer }) => outer !== undefined && nameOf(outer) === name)
    t.same(own.flatMap(({ head }) => words(head, 'Fl')).sort(), flagsOf(name).filter((flag) => !common.includes(flag)), name)
  }
  t.same(common.filter((flag) => !NAMES.some((name) => flagsOf(name).includes(flag))), [], 'common options belong to commands')
})

t.test('words that an option or an argument takes', async (t) => {
  for (const command of ['', ...NAMES]) {
    for (const [name, { choices = [] }] of Object.entries(argumentsOf(command))) {
      const entry = isPositional(name) ? commandEntries.find((each) => nameOf(each) === command)
        : entriesOf('OPTIONS').find(({ head }) => words(head, 'Fl').includes(`-${name}`))
      t.same(choices.filter((word) => !entry?.text.includes(word)), [], `${command} ${name}`)
    }
  }
  const views = entriesOf('COMMANDS').flatMap(({ head }) => words(head, 'Cm'))
  t.ok(argumentsOf('status').WHAT.describe.startsWith(`${views.join(', ')}, or`), 'status')
  t.same(explained('KINDS OF EVENTS'), [...PACKET_KINDS, ...EVENT_KINDS].sort(), 'monitor')
  t.same(explained('FINDINGS'), CHECKS.map(({ code }) => code).sort(), 'doctor')
})

t.test('exit statuses and signals', async (t) => {
  t.same(entriesOf('EXIT STATUS').map(({ head }) => Number(head)), Object.values(EXIT))
  const signals = [...source('cli/run.ts').matchAll(/'(SIG[A-Z0-9]+)'/g)].map(([, name]) => name)
  t.same(explained('SIGNALS', undefined, 'Dv'), [...new Set(signals)].sort())
})

t.test('events and fields of the journal, and limits', async (t) => {
  const problems = Object.keys(PROBLEMS).sort()
  t.same(explained('EVENTS', 'Warnings and errors'), problems)
  t.same(explained('EVENTS', 'Other events'), Object.keys(MESSAGE_IDS).filter((event) => !problems.includes(event)).sort())
  const fields = explained('EVENTS', 'Fields of the journal', 'Va')
  const used = Object.values(PROBLEMS).flatMap((problem) => problem.fields.map(journalName))
  t.same(used.filter((name) => !fields.includes(name)), [])
  t.same(explained('LIMITS'), [...LIMIT_NAMES].sort())
})

t.test('metrics', async (t) => {
  t.same(explained('METRICS', undefined, 'Va'), Object.keys(METRICS).sort())
  for (const { head, text } of entriesOf('METRICS')) {
    const { help, labels } = METRICS[words(head, 'Va')[0] as keyof typeof METRICS]
    const suffix = labels.length === 0 ? '' : ` Label${labels.length === 1 ? '' : 's'}: ${labels.join(', ')}.`
    t.equal(text, `${help}${suffix}`, words(head, 'Va')[0])
  }
})

t.test('states and counters have the meanings that `ndp6d status` prints', async (t) => {
  const kind = (wanted: CounterKind): Record<string, string> => Object.fromEntries(
    Object.entries(OUTCOMES).flatMap(([word, [each, meaning]]) => each === wanted ? [[word, meaning]] : []))
  const tables: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ['STATES', 'States of the daemon', DAEMON_STATES],
    ['STATES', 'States of links', LINK_STATES],
    ['STATES', 'States of hosts and other targets', NEIGHBOR_STATES],
    ['COUNTERS', 'Packets that were answered or used', kind('good')],
    ['COUNTERS', 'Packets without an answer', kind('unanswered')],
    ['COUNTERS', 'Invalid packets', kind('invalid')],
  ]
  for (const [section, part, meanings] of tables) {
    t.same(explained(section, part), Object.keys(meanings).sort(), part)
    const first = (meaning: string): string => `${meaning[0].toUpperCase()}${meaning.slice(1).replaceAll('`', '')}.`
    t.same(entriesOf(section, part).filter(({ head, text }) => !text.startsWith(first(meanings[words(head, 'Cm')[0]] ?? '-'))), [], part)
  }
})

/** Titles of the parts of ndp6d.conf(5), with the blocks in which their statements may stand. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  'Outside of all blocks': ['top'], 'Subnet blocks': ['subnet'], 'Proxy blocks': ['proxy'], 'Rule blocks': ['rule'],
  'Subnet and proxy blocks': ['proxy', 'subnet'],
}
const statements = configPage.entries.filter(({ section }) => section === 'STATEMENTS')

t.test('statements, their places and their values', async (t) => {
  const placeOf = (part: string): string => PLACES[part]?.join() ?? part
  t.same(statements.map(({ head, part }) => `${words(head, 'Cm')[0]} ${placeOf(part)}`).sort(),
    [...OPTIONS].map(([key, { where }]) => `${key} ${[...where].sort().join()}`).sort())
  const values: Readonly<Record<string, readonly string[]>> = { bool: ['yes', 'no'], time: ['TIME'], count: ['N'], flag: [] }
  for (const { head } of statements) {
    const [key, ...choices] = words(head, 'Cm')
    const type = OPTIONS.get(key)?.type
    if (typeof type !== 'string') t.same(choices, type, key)
    else if (values[type] !== undefined) t.same(words(head, 'Ar'), values[type], key)
  }
})

t.test('defaults of the statements', async (t) => {
  const written = (value: unknown, { type }: Option): string => typeof value === 'boolean' ? value ? 'yes' : 'no'
    : type !== 'time' ? String(value) : Number(value) < 1000 ? `${value}ms` : `${Number(value) / 1000}s`
  const defaultOf = (option: Option): string | undefined => {
    const { sets, where } = option
    if (sets === 'forwarding' || sets === 'grace') return written(TOP_DEFAULTS[sets], option)
    if (sets === 'deadtime') return 'the value of ttl'
    if (sets === undefined || !(sets in DEFAULTS)) return undefined
    const inSubnet = written(SUBNET_DEFAULTS[sets as keyof Settings], option)
    const inProxy = written(DEFAULTS[sets as keyof Settings], option)
    if (where.length === 1) return where[0] === 'subnet' ? inSubnet : inProxy
    return inSubnet === inProxy ? inSubnet : `${inSubnet} in a subnet block and ${inProxy} in a proxy block`
  }
  for (const { head, text } of statements) {
    const [key] = words(head, 'Cm')
    const expected = defaultOf(OPTIONS.get(key)!)
    if (expected !== undefined) t.ok(text.includes(`The default is ${expected}.`), `${key}: ${expected}`)
  }
})

t.test('the examples of ndp6d.conf(5) are good configurations', async (t) => {
  const examples = [...configPage.source.matchAll(/^\.Bd -literal.*\n([^]*?)^\.Ed$/gm)].map(([, text]) => text)
  t.ok(examples.length > 0)
  for (const text of examples) t.same(parseConfig(text, 'example').diagnostics, [])
})

t.test('mandoc has no warning about the pages', async (t) => {
  const { error, stdout, stderr } = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', commandsPage.path, configPage.path], { encoding: 'utf8' })
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    t.pass('mandoc is not installed, so the pages are not checked')
    return
  }
  t.equal(`${stdout}${stderr}`, '')
})
