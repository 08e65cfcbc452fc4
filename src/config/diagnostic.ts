/** Diagnostics as text: `file:line:column: error: ...`, the source line and a caret (GNU coding standards, section 4.4). */

/** Kinds of problems. Unlike the messages, these names never change. */
export type Code =
  | 'bad-address' | 'bad-interface' | 'bad-text' | 'bad-value' | 'conflict' | 'duplicate' | 'empty-include' | 'empty-rule' | 'host-bits'
  | 'ignored' | 'include-loop' | 'misplaced-word' | 'missing-block' | 'missing-length' | 'missing-link' | 'missing-statement'
  | 'missing-value' | 'no-effect' | 'no-forwarding' | 'no-neighbor-discovery' | 'not-a-link' | 'nothing-proxied' | 'other-ndppd'
  | 'outside-subnet' | 'overlap' | 'several-interfaces' | 'suspicious-address' | 'two-rules-one-subnet' | 'unclosed' | 'unexpected-colon'
  | 'unexpected-word' | 'unknown-word' | 'unmatched-brace' | 'unreached' | 'unreadable-include' | 'wide-static'

export interface Diagnostic {
  readonly severity: 'error' | 'warning'
  readonly code: Code
  readonly file: string
  /** Line and column from 1. Columns count UTF-16 units; a tab counts 1. */
  readonly line: number
  readonly column: number
  /** UTF-16 units to underline: at least 1, up to the end of the line. */
  readonly length: number
  /** What was found, and what was expected. */
  readonly message: string
  readonly hint?: string
  readonly text: string
}

/** The text of one file, without a byte order mark. */
export class Source {
  readonly file: string
  readonly text: string
  /** Offsets at which the lines begin; undefined until they are needed. */
  #lines: readonly number[] | undefined

  constructor(file: string, text: string) {
    this.file = file
    this.text = text.startsWith('\ufeff') ? text.slice(1) : text
  }

  /** @returns line and column (from 1) of `offset`, and the offsets of the start and end of that line; the end is before LF or CR LF */
  locate(offset: number): { line: number; column: number; start: number; end: number } {
    const lines = this.#lines ??= [0, ...Array.from(this.text.matchAll(/\n/g), ({ index }) => index + 1)]
    let low = 0
    for (let high = lines.length; high - low > 1;) {
      const middle = (low + high) >> 1
      if (lines[middle] <= offset) low = middle
      else high = middle
    }
    const start = lines[low]
    let end = low + 1 < lines.length ? lines[low + 1] - 1 : this.text.length
    if (end > start && this.text[end - 1] === '\r') end--
    return { line: low + 1, column: offset - start + 1, start, end }
  }
}

/** A part of a source. Offsets are in UTF-16 units; `end` is the offset after the last unit. */
export interface Span {
  readonly source: Source
  readonly start: number
  readonly end: number
}

export class Report {
  readonly diagnostics: Diagnostic[] = []
  readonly #topics = new Map<string, number>()

  get hasErrors(): boolean { return this.diagnostics.some(({ severity }) => severity === 'error') }
  error(span: Span, code: Code, message: string, hint?: string): void { this.#add('error', span, code, message, hint) }
  warning(span: Span, code: Code, message: string, hint?: string): void { this.#add('warning', span, code, message, hint) }

  /** For problems that are reported once per run. @returns true on the first call for `topic` */
  first(topic: string): boolean { return this.count(topic) === 1 }

  /** @returns the number of calls for `topic` so far, this one included */
  count(topic: string): number {
    const count = (this.#topics.get(topic) ?? 0) + 1
    this.#topics.set(topic, count)
    return count
  }

  #add(severity: Diagnostic['severity'], { source, start, end }: Span, code: Code, message: string, hint?: string): void {
    const { line, column, start: from, end: to } = source.locate(start)
    const length = Math.max(1, Math.min(end, to) - start)
    const text = source.text.slice(from, to)
    this.diagnostics.push({ severity, code, file: source.file, line, column, length, message, ...(hint && { hint }), text })
  }
}

/** @returns `line N`, or `FILE line N` if `span` is in another file than `seenFrom` */
export function whereIs(span: Span, seenFrom: Span): string {
  const { line } = span.source.locate(span.start)
  return span.source === seenFrom.source ? `line ${line}` : `${span.source.file} line ${line}`
}

/** Quotes text of the file in a message: shortened, with control characters and unusual blanks as `<U+XXXX>`. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text
  const visible = short.replace(/[^\P{C}\p{Co}]|[^\P{Z} ]/gu,
    (character) => `<U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}>`)
  return `\`${visible}\``
}

/**
 * Formats the first error, else the first warning, in one line with the counts: `file:4:5: error: ... (1 of 2 errors, 1 warning)`.
 * If this line is printed last, a log that shows only the last line, as `systemctl status` may, shows the cause.
 * @param diagnostics a list of at least one problem
 */
export function summarize(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  const warnings = diagnostics.filter(({ severity }) => severity === 'warning')
  const [first] = errors.length > 0 ? errors : warnings
  const counts = [errors, warnings].filter((each) => each.length > 0)
    .map((each) => `${each[0] === first && each.length > 1 ? '1 of ' : ''}${countOf(each.length, each[0].severity)}`)
  return `${headline(first)} (${counts.join(', ')})`
}

/** @returns `1 error`, `2 errors` */
export function countOf(count: number, noun: string): string { return `${count} ${noun}${count === 1 ? '' : 's'}` }

function headline({ file, line, column, severity, message }: Diagnostic): string {
  return `${file}:${line}:${column}: ${severity}: ${message}`
}

const NARROW = /[\p{M}\u200b-\u200f]/u
const WIDE = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff00-\uff60]/u

/** @returns the columns of `character` on a terminal, approximately: 0, 1 or 2 */
function columns(character: string): number { return NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1 }

/** The most characters of a source line that are shown; longer lines are cut around the caret. */
const WINDOW = 120

/**
 * Formats one diagnostic as several lines, without a final newline. Tabs are kept before the caret and wide characters
 * count twice, so that the caret is in the right column.
 */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { column, length, hint, text } = diagnostic
  const cut = column + length > WINDOW ? Math.max(0, column - 1 - WINDOW / 2) : 0
  const shown = text.slice(cut, cut + WINDOW).replace(/[^\P{Cc}\t]/gu, ' ')
  const before = shown.slice(0, column - 1 - cut)
  const marked = shown.slice(before.length, before.length + length)
  const pad = Array.from(before, (c) => c === '\t' ? c : ' '.repeat(columns(c))).join('')
  const width = Array.from(marked).reduce((sum, c) => sum + columns(c), 0)
  const lead = cut > 0 ? '...' : ''
  const lines = [
    headline(diagnostic),
    `  ${lead}${shown}${text.length > cut + WINDOW ? '...' : ''}`,
    `  ${' '.repeat(lead.length)}${pad}^${'~'.repeat(Math.max(0, width - 1))}`,
  ]
  if (hint !== undefined) lines.push(`  hint: ${hint}`)
  return lines.map((l) => l.trimEnd()).join('\n')
}
