/** Parses a configuration with its includes into a Config, or reports all problems. The caller reads the files. */
import type { Config } from './config.ts'
import { type Diagnostic, quote, Report, Source, type Span } from './diagnostic.ts'
import { arity, belongsIn, takesBlock } from './option-table.ts'
import { parse, type Statement, type Word } from './parser.ts'
import { compile } from './compiler.ts'
import type { Places } from './places.ts'

/** An included file: its text, or the reason why it cannot be read, with what to do about it. */
export type Included = { readonly file: string; readonly text: string } | { readonly file: string; readonly error: string; readonly hint?: string | undefined }

/**
 * Returns the files that match `glob`, relative to the directory of `fromFile`, in the order in which they apply.
 * @throws an Error with `code`, and perhaps `hint`, if a directory cannot be read; the error becomes a diagnostic of the `include`
 */
export type ReadInclude = (glob: string, fromFile: string) => readonly Included[]

export interface Parsed {
  readonly config: Config | undefined
  /** Where the parts of `config` were read. */
  readonly places: Places
  /** Sorted by file, in the order of reading, then by line. */
  readonly diagnostics: readonly Diagnostic[]
  /** All files read, the main one first. */
  readonly files: readonly string[]
  /** All names and patterns of interfaces, each with the place of its first mention. */
  readonly ifaces: ReadonlyMap<string, Span>
}

const MAX_DEPTH = 8

/**
 * Parses the configuration `text` of `file`. Never throws because of the text.
 * @param path the path of `file`, in the form in which `readInclude` returns paths
 */
export function parseConfig(text: string, file: string, readInclude: ReadInclude = () => [], path = file): Parsed {
  const report = new Report()
  const source = new Source(file, text)
  const files = new Map([[file, 0]])
  const ifaces = new Map<string, Span>()
  const { config, places } = compile(expand(source, [path], files, readInclude, report), report, ifaces)
  const order = (diagnostic: Diagnostic): number => files.get(diagnostic.file) ?? files.size
  report.diagnostics.sort((a, b) => order(a) - order(b) || a.line - b.line || a.column - b.column)
  if (!report.hasErrors && config.proxies.length + config.subnets.length === 0) {
    // An empty configuration may be a consequence of other problems, so this warning comes after them.
    const end = report.diagnostics.length === 0 ? 0 : source.text.trimEnd().length
    report.warning({ source, start: end, end }, 'nothing-proxied', 'nothing is proxied: expected a `subnet` or `proxy` block')
  }
  return { config: report.hasErrors ? undefined : config, places, diagnostics: report.diagnostics, files: [...files.keys()], ifaces }
}

/**
 * Parses `source` and replaces each `include` by the statements of its files.
 * @param chain the absolute paths from the main file through the nested includes down to `source`
 * @param files all files read so far, numbered in the order of reading
 */
function expand(
  source: Source, chain: readonly string[], files: Map<string, number>, readInclude: ReadInclude, report: Report): readonly Statement[] {
  const statements: Statement[] = []
  for (const statement of parse(source, { arity, belongsIn, takesBlock }, report)) {
    if (statement.key.text !== 'include') {
      statements.push(statement)
      continue
    }
    const { key, values, block } = statement
    if (values.length === 0) report.error(key, 'missing-value',
      '`include` has no value: expected a path or a pattern after it, on the same line')
    if (block !== undefined) report.warning(key, 'ignored', '`include` takes no block: the block is ignored')
    for (const word of values) {
      for (const { file, text } of readAll(word, source.file, readInclude, report)) {
        if (chain.includes(file)) report.error(word, 'include-loop', `${quote(file)} includes itself`, [...chain, file].join(' -> '))
        else if (files.has(file)) report.warning(word, 'duplicate', `duplicate include of ${quote(file)}: it is not read again`)
        else if (chain.length > MAX_DEPTH) report.error(word, 'include-loop',
          `include is nested too deeply: expected at most ${MAX_DEPTH} levels`)
        else {
          files.set(file, files.size)
          for (const inner of expand(new Source(file, text), [...chain, file], files, readInclude, report)) statements.push(inner)
        }
      }
    }
  }
  return statements
}

function readAll(word: Word, from: string, readInclude: ReadInclude, report: Report): { file: string; text: string }[] {
  let found: readonly Included[]
  try {
    found = word.text === '' ? [] : readInclude(word.text, from)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const { message, hint } = error as Error & { hint?: string }
    report.error(word, 'unreadable-include', `${quote(word.text)} cannot be read: ${message}`, hint)
    return []
  }
  if (found.length === 0) {
    // A drop-in directory can be empty, so a pattern without a file is only a warning.
    if (/[*?[]/.test(word.text)) report.warning(word, 'empty-include', `${quote(word.text)} matches no file: nothing was read`,
      'put a file there, or delete this line')
    else report.error(word, 'unreadable-include', `${quote(word.text)} does not exist: expected a file`)
  }
  return found.flatMap((each) => {
    if ('text' in each) return [each]
    report.error(word, 'unreadable-include', `${quote(each.file)} cannot be read: ${each.error}`, each.hint)
    return []
  })
}
