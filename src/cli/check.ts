/** `ndp6d check [FILE]`: reports all problems of a configuration. */
import type { InferredOptionTypes } from 'yargs'
import type { Config } from '../config/config.ts'
import { type Code, countOf, type Diagnostic, renderDiagnostic, summarize } from '../config/diagnostic.ts'
import type { Parsed } from '../config/load.ts'
import { printConfig } from '../config/print.ts'
import { DEFAULT_FILE, explainUnreadable, readConfig } from './config-file.ts'
import { EXIT } from './exit.ts'
import { checkForwarding, checkLinks } from './link-check.ts'

export const command = 'check [FILE]'
export const describe = 'check a configuration'
export const builder = {
  FILE: { type: 'string', default: DEFAULT_FILE, describe: 'configuration file' },
  print: { type: 'boolean', default: false, describe: 'print the effective configuration' },
  strict: { type: 'boolean', default: false, describe: 'refuse a file with warnings, too' },
  json: { type: 'boolean', default: false, describe: 'as one JSON document' },
} as const

export function handler({ FILE: file, print, strict, json }: InferredOptionTypes<typeof builder>): void {
  let parsed: Parsed
  try {
    parsed = readConfig(file)
  } catch (error) {
    const message = explainUnreadable(file, error)
    process.exitCode = EXIT.config
    if (!json) process.stderr.write(`ndp6d: ${message}\n`)
    else {
      const nowhere = { line: null, column: null, endColumn: null, found: null, hint: null, suggestion: null }
      writeJson(false, [file], [{ file, severity: 'error', code: 'unreadable', message, ...nowhere }])
    }
    return
  }
  const { config, diagnostics, files } = parsed
  // Warnings about this machine do not count: the verdict about a file is the same on any machine.
  const isGood = config !== undefined && !(strict && diagnostics.length > 0)
  const all = [...diagnostics, ...checkLinks(parsed), ...checkForwarding(parsed)]
  process.exitCode = isGood ? EXIT.good : EXIT.config
  if (json) return writeJson(isGood, files, all.map(describeProblem))
  for (const diagnostic of all) process.stderr.write(`${renderDiagnostic(diagnostic)}\n`)
  if (!isGood) process.stderr.write(`${summarize(diagnostics)}\n`)
  else if (print) process.stdout.write(printConfig(config))
  else process.stdout.write(`${file}: good${all.length === 0 ? '' : `, with ${countOf(all.length, 'warning')}`}. ${contents(config)}.\n`)
}

/** @returns what a configuration has: `1 subnet, 2 links, 1 pinned host` */
function contents({ subnets, proxies }: Config): string {
  const links = new Set([...subnets.flatMap(({ upstream, downstream }) => [upstream, ...downstream]),
    ...proxies.flatMap(({ iface, rules }) => [iface, ...rules.flatMap((rule) => rule.kind === 'iface' ? rule.ifaces : [])])])
  const rules = proxies.flatMap((proxy) => proxy.rules)
  const counts: [number, string][] = [[subnets.length, 'subnet'], [rules.length, 'rule'], [links.size, 'link'],
    [subnets.flatMap(({ hosts }) => hosts).length, 'pinned host'], [subnets.flatMap(({ exclude }) => exclude).length, 'exclusion']]
  return counts.filter(([count]) => count > 0).map(([count, noun]) => countOf(count, noun)).join(', ') || 'Nothing is proxied'
}

/** A problem as schemas/check.json describes it. */
interface Problem {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
  /** The column behind `found`. */
  readonly endColumn: number | null
  readonly severity: Diagnostic['severity']
  readonly code: Code | 'unreadable'
  readonly message: string
  /** The text that the problem is about, from `column` to before `endColumn`. */
  readonly found: string | null
  readonly hint: string | null
  /** The text that is probably meant instead. */
  readonly suggestion: string | null
}

function describeProblem({ file, line, column, length, severity, code, message, hint, text }: Diagnostic): Problem {
  const end = column + length
  return { file, line, column, endColumn: end, severity, code, message, found: text.slice(column - 1, end - 1), hint: hint ?? null,
    suggestion: /^did you mean `([^`]+)`/.exec(hint ?? '')?.[1] ?? null }
}

function writeJson(ok: boolean, files: readonly string[], problems: readonly Problem[]): void {
  process.stdout.write(`${JSON.stringify({ schema: 'ndp6d/check/1', ok, files, problems }, undefined, 2)}\n`)
}

/**
 * Result of `loadConfig`. `parsed` has the configuration, and the place of each of its parts in the text. `refusal` is a sentence that says
 * why the configuration is refused.
 */
export type Loaded = { readonly parsed: Parsed & { readonly config: Config }; readonly refusal?: undefined }
  | { readonly parsed?: undefined; readonly refusal: string }

/** Reads a configuration for the daemon, and prints its problems. */
export function loadConfig(file: string, read = (): Parsed => readConfig(file),
  print = (text: string): void => { process.stderr.write(text) }): Loaded {
  try {
    const parsed = read()
    const { config, diagnostics } = parsed
    for (const diagnostic of diagnostics) print(`${renderDiagnostic(diagnostic)}\n`)
    return config === undefined ? { refusal: summarize(diagnostics) } : { parsed: { ...parsed, config } }
  } catch (error) {
    return { refusal: `ndp6d: ${explainUnreadable(file, error)}` }
  }
}
