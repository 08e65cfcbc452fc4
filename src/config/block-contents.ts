/**
 * Reads the contents of one block: options, and other statements that belong in it. A statement that does not belong in the block
 * causes a warning if ndppd 0.2.x only ignores it, else an error. In a subnet, which ndppd does not have, such a statement always causes an
 * error.
 */
import { quote, type Span, whereIs } from './diagnostic.ts'
import { belongsIn, misfit, type Option, OPTIONS, takesBlock, type Where } from './option-table.ts'
import type { Statement, Word } from './parser.ts'
import type { Reader } from './values.ts'

export interface Contents {
  /** Values of the options in the block, by field name. */
  readonly values: Readonly<Record<string, unknown>>
  /** The words that set the values, by field name. */
  readonly words: Readonly<Record<string, Word>>
  readonly statements: readonly Statement[]
  /** Keywords that misspelt statements probably stand for. A statement with one of these keywords is not reported as missing. */
  readonly meant: ReadonlySet<string>
}

/**
 * Reads `block`, a block of kind `where`. Problems go to the report of `reader`.
 * @param needed the keywords of which the block needs at least one. If the block has none, a misspelt needed keyword is an error, not a
 *   warning
 */
export function readContents(block: readonly Statement[], where: Where, reader: Reader, needed: readonly string[] = []): Contents {
  const { report } = reader
  const values: Record<string, unknown> = {}
  const words: Record<string, Word> = {}
  const seen = new Map<string, Statement>()
  const statements: Statement[] = []
  const meant = new Set<string>()
  const lacking = block.some(({ key }) => needed.includes(key.text)) ? [] : needed
  let headless: string | undefined
  for (let i = 0; i < block.length; i++) {
    const statement = block[i]
    const key = statement.key.text
    const option = OPTIONS.get(key)
    if (option === undefined || !option.where.includes(where)) {
      // An earlier statement lacks its block, and this statement was meant for that block. Only the missing block is reported.
      if (headless !== undefined && belongsIn(key, headless)) continue
      i = reportIgnored(block, i, where, lacking, meant, reader)
      continue
    }
    headless = takesBlock(key) && statement.block === undefined ? key : undefined
    if (statement.block !== undefined && option.type !== 'block') {
      const level = where === 'subnet' ? 'error' : 'warning'
      report[level](statement.key, 'ignored', `\`${key}\` takes no block: the block is ignored`)
    }
    const first = seen.get(key)
    const [word] = statement.values
    if (option.type === 'flag' && word !== undefined && !/^(yes|true)$/i.test(word.text)) {
      // A flag is set by its presence, as in ndppd 0.2.x, which skips the value.
      report.warning(word, 'ignored', `${quote(word.text)} after \`${key}\` is ignored: expected the word alone, which means yes`,
        'delete it, or move it to a line of its own')
    }
    if (option.type === 'unused') {
      if (report.first('unused')) {
        report.warning(statement.key, 'no-effect', `\`${key}\` has no effect: ndp6d does not poll, the kernel reports changes`, 'delete it')
      }
    } else if (option.sets === undefined) statements.push(statement)
    else if (first !== undefined) {
      report.warning(statement.key, 'duplicate',
        `duplicate \`${key}\`, first at ${whereIs(first.key, statement.key)}: the first value is used`)
    } else {
      seen.set(key, statement)
      const value = readValue(statement, option, reader)
      if (value === undefined) continue
      values[option.sets] = value
      words[option.sets] = statement.key
    }
  }
  return { values, words, statements, meant }
}

/** Returns the value of a statement that takes exactly one value. Reports a missing value, and a second value (with `hint`). */
export function onlyValue(statement: Statement, expected: string, hint: string, reader: Reader): Word | undefined {
  const { key, values } = statement
  if (values.length === 0) reportMissing(statement, expected, reader)
  // A second value is an error, because ndppd 0.2.x attaches the block to it, and drops the contents of the block.
  if (values.length > 1) {
    reader.report.error(values[1], 'unexpected-word', `unexpected ${quote(values[1].text)} after \`${key.text}\`: expected ${expected}`, hint)
  }
  return values[0]
}

export function reportMissing({ key, colon }: Statement, expected: string, { report }: Reader): void {
  if (colon) return // reported by the parser
  report.error(key, 'missing-value', `\`${key.text}\` has no value: expected ${expected} after it, on the same line`)
}

function readValue(statement: Statement, { type, min = 0 }: Option, reader: Reader): unknown {
  const key = statement.key.text
  const word = statement.values[0]
  if (word === undefined) {
    // A bare `router` means no to ndppd 0.2.x and yes to 1.0, so there is no safe reading.
    const expected = type === 'bool' ? 'yes or no' : typeof type === 'object' ? `one of ${type.join(', ')}` : 'a value'
    reportMissing(statement, expected, reader)
    return undefined
  }
  if (typeof type === 'object') return reader.choice(word, key, type)
  if (type === 'bool') return reader.bool(word, key)
  if (type === 'endpoint') return reader.endpoint(word)
  if (type === 'time') return reader.time(word, key)
  const count = reader.count(word, key)
  if (count !== undefined && count < min) reader.report.error(word, 'bad-value',
    `${count} is too small for \`${key}\`: expected ${min} or more`)
  return count
}

/**
 * The most unknown statements outside of blocks. One more is an error. A file that is no configuration has an unknown statement in each
 * line. Without this limit, a reload of such a file would take long, and would then apply an empty configuration.
 */
const MAX_UNKNOWN = 100

/**
 * Reports statement `index`, which is not allowed in this block, together with the surplus words after it.
 * @param lacking the `needed` keywords of {@link readContents} if the block has none of these, else an empty list
 * @param meant receives the keyword that a misspelt word probably stands for
 * @returns index of the last statement reported
 */
function reportIgnored(block: readonly Statement[], index: number, where: Where, lacking: readonly string[], meant: Set<string>,
  { report }: Reader): number {
  const statement = block[index]
  const { key, values } = statement
  const place = key.text === '' && values.length > 0 ? values[0] : key
  let last = index
  const unknown = where === 'top' ? report.count('unknown statement') : 0
  if (unknown > MAX_UNKNOWN) {
    if (unknown === MAX_UNKNOWN + 1) report.error(place, 'unknown-word', `more than ${MAX_UNKNOWN} statements outside of blocks are unknown: the further ones are not reported`,
      'is this a configuration of ndp6d?')
    return last
  }
  while (last + 1 < block.length && isJunk(block[last + 1])) last++
  const { end } = block[last].values.at(-1) ?? block[last].key
  const span: Span = { source: place.source, start: place.start, end }
  const found = quote(span.source.text.slice(span.start, span.end) || '{')
  const wrong = isJunk(statement) || key.text === '' ? undefined : misfit(key.text, where)!
  if (wrong?.near !== undefined) meant.add(wrong.near)
  // ndppd 0.2.x hangs on non-ASCII keys, so no working file has one.
  const level = where === 'subnet' || /[^\0-\x7f]/.test(place.text) || lacking.includes(wrong?.near ?? '') ? 'error' : 'warning'
  const note = level === 'error' ? '' : '; it is ignored'
  if (isJunk(statement)) report[level](span, 'unexpected-word', `unexpected ${found}: expected a statement or the end of the line${note}`)
  else if (key.text === '') report[level](span, 'unexpected-word', `${found} is not a statement: expected a keyword${note}`)
  else report[level](place, wrong!.code, `${wrong!.message}${note}`, wrong!.hint)
  return last
}

/** Returns whether a statement is only a surplus word on the line of another statement. */
function isJunk({ trailing, block, key }: Statement): boolean { return trailing && block === undefined && !OPTIONS.has(key.text) }
