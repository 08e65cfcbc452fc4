/**
 * Splits text into tokens by the rules of ndppd 0.2.x. The meaning of a character depends on whether the parser expects a
 * key or a value. A comment begins only where a token could begin: `eth1#x` is a name. A newline ends the values of a
 * statement and means nothing before a key. Quoted text has no escapes.
 *
 * Unlike ndppd 0.2.x, this lexer accepts byte order marks, unusual blanks and non-ASCII text, accepts `;` after a statement
 * and before a comment line, and reports unclosed quotes and comments.
 */
import { quote, type Report, type Source, type Span } from './diagnostic.ts'

export type TokenKind = 'word' | 'open' | 'close' | 'newline' | 'semicolon' | 'equals' | 'end'

export interface Token extends Span {
  readonly kind: TokenKind
  /** The characters of the token, without the quotes around a word; may be empty. */
  readonly text: string
  readonly quoted: boolean
  readonly isFirst: boolean
}

const KEY = /[A-Za-z0-9_-]*/y
// In ndppd 0.2.x a value is a run of isgraph() bytes without braces. Here non-ASCII characters belong to the run too.
const VALUE = /[^\s\0-\x1f\x7f{}]*/y
const BLANK = /[ \t\r\v\f]+/y
const UNUSUAL_BLANK = /[\0-\x08\x0e-\x1f\x7f]|[^\S\n \t\r\v\f]/y
const PUNCTUATION: Readonly<Record<string, TokenKind>> = { '{': 'open', '}': 'close', ';': 'semicolon', '=': 'equals' }

/** @returns whether the text has more than one NUL byte. A single NUL byte may be a mistake in a text file. */
function isBinary(text: string): boolean {
  const nul = text.indexOf('\0')
  return nul >= 0 && text.includes('\0', nul + 1)
}

export class Lexer {
  readonly source: Source
  readonly #text: string
  readonly #report: Report
  #at = 0
  /** No token was read since the last newline. */
  #isFirst = true

  constructor(source: Source, report: Report) {
    this.source = source
    // A binary file is read as empty text: otherwise, each of its words would be an error of its own.
    this.#text = isBinary(source.text) ? '' : source.text
    this.#report = report
    this.#checkText()
  }

  /**
   * Reads the next token. A `key` is `[A-Za-z0-9_-]*` after any newlines; it is empty if any other character comes first.
   * A `value` ends at the next blank or brace; if the line has no further value, the newline is returned as a token.
   */
  next(expected: 'key' | 'value'): Token {
    this.#skip(expected === 'key')
    const start = this.#at
    const first = this.#text[start]
    if (first === undefined) return this.#token('end', start, start)
    if (first === '\n') return this.#token('newline', start, start + 1)
    if (first in PUNCTUATION) return this.#token(PUNCTUATION[first], start, start + 1)
    if (expected === 'key') return this.#token('word', start, this.#run(KEY, start))
    if (first === '"' || first === "'") return this.#quoted(start, first)
    return this.#bare(start)
  }

  /** @returns the next word on this line if it can be a key, else an empty string */
  peekKey(): string {
    this.#skip(false)
    const end = this.#run(KEY, this.#at)
    return /[^\s{}=;]/.test(this.#text[end] ?? '') ? '' : this.#text.slice(this.#at, end)
  }

  /** Goes back to `token`, so that its text is read again, as another kind of token. */
  back(token: Token): void { this.#at = token.start }

  #token(kind: TokenKind, start: number, end: number, text = this.#text.slice(start, end), quoted = false): Token {
    const isFirst = this.#isFirst
    this.#at = Math.max(this.#at, end)
    this.#isFirst = false
    return { kind, source: this.source, start, end, text, quoted, isFirst }
  }

  #span(start: number, end: number): Span { return { source: this.source, start, end } }

  #run(pattern: RegExp, at: number): number {
    pattern.lastIndex = at
    return pattern.test(this.#text) ? pattern.lastIndex : at
  }

  #quoted(start: number, mark: string): Token {
    const text = this.#text
    let end = start + 1
    while (end < text.length && text[end] !== mark && text[end] !== '\n') end++
    if (text[end] === mark) return this.#token('word', start, end + 1, text.slice(start + 1, end), true)
    if (text[end - 1] === '\r') end--
    this.#report.warning(this.#span(start, end), 'unclosed', `quote not closed: expected ${mark} before the end of the line`)
    return this.#token('word', start, end, text.slice(start + 1, end), true)
  }

  #bare(start: number): Token {
    const end = this.#run(VALUE, start)
    let last = end
    while (this.#text[last - 1] === ';') last--
    if (last < end) {
      this.#report.warning(this.#span(last, end), 'ignored', `\`;\` after ${quote(this.#text.slice(start, last))} is ignored`,
        'ndppd 0.2.x takes it as part of the value; a statement ends with its line')
    }
    return this.#token('word', start, last)
  }

  /** Skips blanks and comments; with `newlines` also line ends and comment lines that begin with `;`. */
  #skip(newlines: boolean): void {
    const text = this.#text
    for (;;) {
      const at = this.#at
      const first = text[at]
      if (first === '\n' && newlines) {
        this.#at++
        this.#isFirst = true
      } else if (first === '#' || (first === '/' && text[at + 1] === '/')) this.#skipLine()
      else if (first === '/' && text[at + 1] === '*') this.#skipComment()
      else if (first === ';' && newlines && this.#isFirst && this.#startsComment()) this.#skipLine()
      else {
        this.#at = this.#run(BLANK, at)
        if (this.#at > at) continue
        this.#at = this.#run(UNUSUAL_BLANK, at)
        if (this.#at === at) return
        const span = this.#span(at, this.#at)
        if (text[at] === '\0') continue // reported by #checkText
        if (text[at] < '\x80') this.#report.error(span, 'bad-text', `control character ${quote(text[at])}: expected text`)
        else if (this.#report.first(`blank ${this.source.file}`)) {
          this.#report.warning(span, 'bad-text', `unusual blank ${quote(text[at])} is read as a space`,
            'probably pasted from a web page; ndppd 0.2.x hangs on it')
        }
      }
    }
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at)
    this.#at = end < 0 ? this.#text.length : end
  }

  #skipComment(): void {
    // As in ndppd 0.2.x one star can open and close: `/*/` is a whole comment.
    const end = this.#text.indexOf('*/', this.#at + 1)
    if (end < 0) {
      this.#report.error(this.#span(this.#at, this.#at + 2), 'unclosed', 'this comment is never closed: expected `*/`',
        'otherwise the rest of the file belongs to the comment')
    }
    this.#at = end < 0 ? this.#text.length : end + 2
  }

  /**
   * Returns whether a `;` at the start of a line begins a comment: false if the next character that is no blank and no `;` is a brace, `#`
   * or the line end.
   */
  #startsComment(): boolean {
    const rest = /;[;\s]*?(\n|[^;\s]|$)/y
    rest.lastIndex = this.#at
    const next = rest.exec(this.#text)?.[1] ?? ''
    if (/^[\n}{#]?$/.test(next)) return false
    if (this.#report.first(`semicolon ${this.source.file}`)) {
      this.#report.warning(this.#span(this.#at, this.#at + 1), 'ignored', 'this line is read as a comment',
        'ndppd 0.2.x reads the words after `;` as statements; begin a comment with `#`')
    }
    return true
  }

  #checkText(): void {
    const nul = this.source.text.indexOf('\0')
    if (this.#text !== this.source.text) {
      this.#report.error(this.#span(nul, nul + 1), 'bad-text', 'not a text file, because it has NUL bytes: expected text in UTF-8',
        'name another file; if this is the right one, save it as UTF-8: UTF-16 looks like this')
    } else if (nul >= 0) {
      this.#report.error(this.#span(nul, nul + 1), 'bad-text', 'NUL byte: expected text (ndppd 0.2.x ignores everything after it)',
        'save the file as UTF-8; UTF-16 looks like this')
    }
    const cr = this.#text.search(/\r(?!\n|$)/)
    if (cr >= 0) {
      this.#report.warning(this.#span(cr, cr + 1), 'bad-text', 'a carriage return alone does not end a line',
        'end lines with LF or CR LF; a `#` comment runs to the next LF')
    }
  }
}
