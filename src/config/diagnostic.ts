/**
 * Problems of a configuration file as values, and how they are shown: `file:line:column: error: ...`, the source
 * line and a caret (the form of the GNU coding standards, section 4.4, that editors and CI logs recognise).
 */

export interface Diagnostic {
  readonly severity: 'error' | 'warning'
  readonly file: string
  /** From 1. Columns count UTF-16 units; a tab is one. */
  readonly line: number
  readonly column: number
  /** UTF-16 units to underline, at least 1, never past the end of the line. */
  readonly length: number
  /** What was found and what was expected. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
  /** The source line. */
  readonly text: string
}

/** One file's text, without a byte order mark, and where its lines begin. */
export class Source {
  readonly file: string
  readonly text: string
  #lines: readonly number[] | undefined

  constructor(file: string, text: string) {
    this.file = file
    this.text = text.startsWith('\ufeff') ? text.slice(1) : text
  }

  /** Line and column (from 1) of `offset`, and the bounds of that line, without its line end. */
  locate(offset: number): { line: number; column: number; start: number; end: number } {
    const lines = this.#lines ??= lineStarts(this.text)
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

function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** A piece of a source: offsets in UTF-16 units, `end` excluded. */
export interface Span {
  readonly source: Source
  readonly start: number
  readonly end: number
}

/** Collects diagnostics. */
export class Report {
  readonly diagnostics: Diagnostic[] = []
  readonly #said = new Set<string>()
  #errors = 0

  /** Whether an error was reported. */
  get failed(): boolean { return this.#errors > 0 }

  error(span: Span, message: string, hint?: string): void {
    this.#errors++
    this.#add('error', span, message, hint)
  }

  warning(span: Span, message: string, hint?: string): void {
    this.#add('warning', span, message, hint)
  }

  /** True the first time it is asked about `topic`: for what needs saying once. */
  first(topic: string): boolean {
    return !this.#said.has(topic) && this.#said.add(topic) !== undefined
  }

  #add(severity: Diagnostic['severity'], { source, start, end }: Span, message: string, hint?: string): void {
    const { line, column, start: from, end: to } = source.locate(start)
    const length = Math.max(1, Math.min(end, to) - start)
    const text = source.text.slice(from, to)
    this.diagnostics.push({ severity, file: source.file, line, column, length, message, ...(hint && { hint }), text })
  }
}

/** `line N`, or `FILE line N` when `span` is in another file than `seenFrom`. */
export function whereIs(span: Span, seenFrom: Span): string {
  const { line } = span.source.locate(span.start)
  return span.source === seenFrom.source ? `line ${line}` : `${span.source.file} line ${line}`
}

/** Text of the file inside a message: shortened, control characters and odd blanks made visible. */
export function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return `\`${visible(short)}\``
}

function visible(text: string): string {
  return text.replace(/[^\P{C}\p{Co}]|[^\P{Z} ]/gu, (character) => {
    return `<U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}>`
  })
}

const NARROW = /[\p{M}\u200b-\u200f]/u
const WIDE = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff00-\uff60]/u

/** Columns that `character` takes on a terminal, near enough for a caret: 0, 1 or 2. */
function columns(character: string): number {
  return NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1
}

/** Source lines are shown up to this many characters, cut around the caret. */
const WINDOW = 120

/**
 * One diagnostic as text, several lines, no newline at the end. Tabs stay tabs under the caret, and wide
 * characters count twice, so that it points at the right place.
 */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, length, severity, message, hint, text } = diagnostic
  const cut = column + length > WINDOW ? Math.max(0, column - 1 - WINDOW / 2) : 0
  const shown = text.slice(cut, cut + WINDOW).replace(/[^\P{Cc}\t]/gu, ' ')
  const before = shown.slice(0, column - 1 - cut)
  const marked = shown.slice(before.length, before.length + length)
  const pad = Array.from(before, (c) => c === '\t' ? c : ' '.repeat(columns(c))).join('')
  const width = Array.from(marked).reduce((sum, c) => sum + columns(c), 0)
  const lead = cut > 0 ? '...' : ''
  const lines = [
    `${file}:${line}:${column}: ${severity}: ${message}`,
    `  ${lead}${shown}${text.length > cut + WINDOW ? '...' : ''}`,
    `  ${' '.repeat(lead.length)}${pad}^${'~'.repeat(Math.max(0, width - 1))}`,
  ]
  if (hint !== undefined) lines.push(`  hint: ${hint}`)
  return lines.map((l) => l.trimEnd()).join('\n')
}
