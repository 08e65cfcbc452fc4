/**
 * The design as a test: who may import whom, no cycles, no clock, chance or I/O in the pure layers, files that can be read in
 * one sitting, and nothing in them that is true of one machine only.
 */
import t from 'tap'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * A layer is a folder of src, or a file beside the folders. `values`: layers, modules or packages that it may import; `types`: those whose
 * types alone it may import. Every layer may import itself.
 */
const LAYERS: Readonly<Record<string, { values: readonly string[]; types?: readonly string[] }>> = {
  address: { values: ['ipaddr.js'] },
  wire: { values: ['address'] },
  events: { values: [], types: ['address', 'wire'] },
  config: { values: ['address'] },
  engine: { values: ['address', 'wire/ndisc-decode', 'wire/constants', 'wire/frame', 'wire/router-messages', 'config/config', 'events'], types: ['engine-types', 'wire/mld-decode'] },
  'engine-types': { values: [], types: ['address', 'config', 'engine/tables/pool', 'events', 'wire'] },
  linux: { values: ['address', 'wire', 'node', 'raw-socket'], types: ['engine-types', 'events', 'log/message-ids'] },
  control: { values: ['node'], types: ['events'] },
  doctor: { values: ['address', 'config', 'linux', 'node', 'wire'], types: ['engine-types'] },
  replies: { values: ['address', 'config/config', 'control/protocol', 'events', 'node'],
    types: ['control', 'doctor', 'engine', 'engine-types', 'introspection', 'log', 'metrics', 'observers', 'reloads'] },
  log: { values: ['address', 'config/suggest', 'pino'], types: ['config', 'engine', 'engine-types', 'events'] },
  metrics: { values: ['events', 'wire/ndisc-decode'], types: ['engine-types'] },
  totals: { values: ['config/config', 'events'] },
  history: { values: ['address', 'wire/constants'], types: ['engine-types', 'events'] },
  observers: { values: ['history'], types: ['engine-types', 'events'] },
  'state-file': { values: ['address', 'node'], types: ['engine-types', 'events'] },
  'saved-state': { values: ['state-file'], types: ['engine', 'engine-types', 'events', 'log'] },
  'wake-timer': { values: [] },
  'link-reader': { values: ['linux'], types: ['engine-types', 'log'] },
  introspection: { values: ['linux'], types: ['address', 'config', 'doctor', 'engine', 'engine-types', 'events', 'metrics', 'observers', 'totals'] },
  daemon: { values: ['doctor', 'engine', 'introspection', 'linux', 'log', 'metrics', 'observers', 'saved-state', 'totals', 'wake-timer', 'link-reader'],
    types: ['config', 'engine-types', 'events'] },
  reloads: { values: ['address', 'config', 'log'], types: ['daemon', 'engine'] },
  exporter: { values: ['events', 'node', 'prom-client', 'wire/ndisc-decode'], types: ['config/config', 'introspection', 'log/rate-limited-log', 'reloads'] },
  cli: { values: ['address', 'config', 'control', 'daemon', 'doctor', 'exporter', 'linux', 'log', 'node', 'reloads', 'replies', 'state-file', 'yargs'],
    types: ['engine', 'events', 'pino'] },
  main: { values: ['cli', 'node', 'yargs'] },
}

/** The rooms of the engine: each may import those after it. All of them may import the vocabulary, src/engine-types.ts. */
const ROOMS = ['answers', 'advertising', 'learning', 'effects', 'listening', 'cache', 'budget', 'rules', 'links', 'tables']

const PURE = ['wire', 'engine', 'config']
const IMPURE = new RegExp(`\\b(?:${['Date', 'performance', 'Math\\.random', 'crypto', 'process', 'require', 'console', 'fetch', 'setTimeout',
  'setInterval', 'setImmediate', 'queueMicrotask', 'globalThis'].join('|')})\\b|\\bimport\\(|node:`)
const MAX_LINES = 300

/** Files of the project below `folder`, by their path from the root; not what is built or installed. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).filter((name) => !['.git', 'build', 'dist', 'node_modules'].includes(name) && !name.endsWith('.tgz'))
    .map((name) => join(folder, name))
    .flatMap((path) => statSync(join(ROOT, path)).isDirectory() ? filesBelow(path) : [path])
}

function text(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Without comments and plain strings. */
function code(source: string): string {
  return source.replace(/'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/.*/g, (part) => part.startsWith("'") ? "''" : '')
}

interface Import {
  readonly from: string
  /** `wire/ndisc-decode`, `pino`, `node`. */
  readonly to: string
  readonly isType: boolean
}

/** @param path from src, without its extension, as in `engine/rules` */
function importsOf(path: string): Import[] {
  const statements = text(join('src', `${path}.ts`)).matchAll(
    /^(?:import|export)\b(\s+type\b)?(?:[^'"`;=]*?\bfrom)?\s+'([^']+)'/gm)
  return [...statements].map(([, type, name]) => ({
    from: path, isType: type !== undefined,
    to: name.startsWith('.') ? normalize(join(dirname(path), name)).replace(/\.ts$/, '') : name.replace(/^node:.*/, 'node'),
  }))
}

const layerOf = (module: string): string => module.split('/')[0]
const modules = filesBelow('src').filter((path) => /(?<!\.d)\.ts$/.test(path)).map((path) => relative('src', path).replace(/\.ts$/, ''))
const imports = modules.flatMap(importsOf)

t.test('every import is one that the table allows', (t) => {
  t.ok(imports.length > 100, 'imports were found')
  for (const module of modules) t.ok(Object.hasOwn(LAYERS, layerOf(module)), `${module} belongs to a layer`)
  const covers = (allowed: readonly string[], to: string): boolean => allowed.some((name) => name === to || name === layerOf(to))
  const wrong = imports.filter(({ from, to, isType }) => {
    const { values, types = [] } = LAYERS[layerOf(from)] ?? { values: [] }
    return layerOf(to) !== layerOf(from) && !covers(values, to) && !(isType && covers(types, to))
  })
  t.same(wrong.map(({ from, to, isType }) => `${from} imports ${isType ? 'types of ' : ''}${to}`), [])
  t.end()
})

t.test('the rooms of the engine import downwards only', (t) => {
  const roomOf = (module: string): number => ROOMS.indexOf(module.split('/')[1])
  const upwards = imports.filter(({ from, to }) => from.startsWith('engine/')
    && (to === 'engine' || (to.startsWith('engine/') && roomOf(to) < roomOf(from))))
  t.same(upwards.map(({ from, to }) => `${from} imports ${to}`), [])
  t.same(readdirSync(join(ROOT, 'src', 'engine')).sort(), [...ROOMS].sort())
  t.same(imports.filter(({ from }) => from === 'engine-types').map(({ to }) => to).filter((to) => to.startsWith('engine/')), ['engine/tables/pool'])
  t.end()
})

t.test('no module needs itself, not even by types', (t) => {
  const needs = new Map(modules.map((module) => [module, imports.filter(({ from, to }) => from === module && modules.includes(to))
    .map(({ to }) => to)]))
  const done = new Set<string>()
  const visit = (module: string, way: readonly string[]): string[] => {
    if (way.includes(module)) return [[...way.slice(way.indexOf(module)), module].join(' -> ')]
    if (done.has(module)) return []
    const cycles = needs.get(module)!.flatMap((next) => visit(next, [...way, module]))
    done.add(module)
    return cycles
  }
  t.same(modules.flatMap((module) => visit(module, [])), [])
  t.end()
})

t.test('wire, engine and config are told: no clock, no chance, no timer, no I/O', (t) => {
  for (const module of modules.filter((each) => PURE.includes(layerOf(each)))) {
    const found = code(text(join('src', `${module}.ts`))).split('\n').filter((line) => IMPURE.test(line))
    t.same(found, [], module)
  }
  t.end()
})

t.test(`no file has more than ${MAX_LINES} lines`, (t) => {
  const written = ['src', 'native', 'test'].flatMap(filesBelow).filter((path) => !path.startsWith('test/fixtures/'))
  t.same(written.filter((path) => text(path).trimEnd().split('\n').length > MAX_LINES), [])
  t.end()
})

t.test('nothing names one machine, or where packages come from', (t) => {
  const local = /\/(?:home|Users|root)\/\w|(?<![\w.])\/work\/|\/tmp\/\w|https?:\/\/[^\s"'`/]*(?:registry|npm|mirror|artifact|proxy)/
  const found = filesBelow('.').flatMap((path) => text(path).split('\n')
    .flatMap((line, i) => local.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 80)}`] : []))
  t.same(found.filter((line) => !line.includes('const local =')), [])
  if (existsSync(join(ROOT, 'package-lock.json'))) t.notMatch(text('package-lock.json'), /"resolved"/, 'no download addresses')
  t.end()
})
