/**
 * One block, sorted: its options read, what may stand there besides, and the rest reported. The rule for severity: what
 * ndppd 0.2.x ignored is a warning, what it misread is an error. A subnet is no ndppd block, so there nothing needs
 * forgiving and every slip is an error.
 */
import type { Span } from './diagnostic.ts'
import { quote, whereIs } from './diagnostic.ts'
import type { Option, Where } from './options.ts'
import { misfit, OPTIONS } from './options.ts'
import type { Statement, Word } from './parser.ts'
import type { Reader } from './values.ts'

export interface Contents {
  /** By the name of the field it sets; only what the block says. */
  readonly values: Readonly<Record<string, unknown>>
  /** The statements that are more than an option, in file order. */
  readonly statements: readonly Statement[]
}

/** The contents of `block`, a block of kind `where`. */
export function readContents(block: readonly Statement[], where: Where, reader: Reader): Contents {
  const { report } = reader
  const values: Record<string, unknown> = {}
  const seen = new Map<string, Statement>()
  const statements: Statement[] = []
  for (let i = 0; i < block.length; i++) {
    const statement = block[i]
    const key = statement.key.text
    const option = OPTIONS.get(key)
    if (option === undefined || !option.where.includes(where)) {
      i = reportIgnored(block, i, where, reader)
      continue
    }
    if (statement.block !== undefined && option.type !== 'block') {
      const level = where === 'subnet' ? 'error' : 'warning'
      report[level](statement.key, `\`${key}\` takes no block: what is in it is ignored`)
    }
    const first = seen.get(key)
    if (option.type === 'flag') checkFlag(statement, reader)
    if (option.type === 'unused') reportUnused(statement, reader)
    else if (option.sets === undefined) statements.push(statement)
    else if (first !== undefined) {
      const place = whereIs(first.key, statement.key)
      report.warning(statement.key, `\`${key}\` is set already at ${place}: the first one counts`)
    } else {
      seen.set(key, statement)
      const value = readValue(statement, option, reader)
      if (value !== undefined) values[option.sets] = value
    }
  }
  return { values, statements }
}

/** The one value of `statement`; a second one is reported with `hint`. */
export function onlyValue(statement: Statement, expected: string, hint: string, reader: Reader): Word | undefined {
  const { key, values } = statement
  if (values.length === 0) reportMissing(statement, expected, reader)
  // 0.2.x hangs the block on the second word and drops all that is in it.
  if (values.length > 1) {
    const found = quote(values[1].text)
    reader.report.error(values[1], `${found} is one too many for \`${key.text}\`: expected ${expected}`, hint)
  }
  return values[0]
}

export function reportMissing({ key }: Statement, expected: string, { report }: Reader): void {
  report.error(key, `\`${key.text}\` has no value: expected ${expected} behind it, on the same line`)
}

function readValue(statement: Statement, { type, min = 0 }: Option, reader: Reader): unknown {
  const key = statement.key.text
  const word = statement.values[0]
  if (word === undefined) {
    // Of a bare `router` 0.2.x makes no and 1.0 makes yes: whichever was meant, one of them does the opposite.
    const expected = type === 'bool' ? 'yes or no' : typeof type === 'object' ? `one of ${type.join(', ')}` : 'a value'
    reportMissing(statement, expected, reader)
    return undefined
  }
  if (typeof type === 'object') return reader.choice(word, key, type)
  if (type === 'bool') return reader.bool(word, key)
  if (type === 'endpoint') {
    reader.report.warning(statement.key, `\`${key}\` is understood, but nothing is served yet`)
    return reader.endpoint(word)
  }
  if (type === 'time') return reader.time(word, key)
  const count = reader.count(word, key)
  if (count !== undefined && count < min) {
    reader.report.error(word, `${count} is too small for \`${key}\`: expected ${min} or more`)
  }
  return count
}

/** Presence counts, as in 0.2.x, which takes the next word on the line as the flag's value. */
function checkFlag({ key, values }: Statement, { report }: Reader): void {
  if (values.length === 0 || /^(yes|true)$/i.test(values[0].text)) return
  report.warning(values[0], `${quote(values[0].text)} behind \`${key.text}\` is ignored: the word alone means yes`,
    'delete it, or put it on a line of its own')
}

/** `route-ttl` and `address-ttl`: any value will do, INT_MAX too; said once. */
function reportUnused({ key }: Statement, { report }: Reader): void {
  if (!report.first('unused')) return
  report.warning(key, `\`${key.text}\` has no effect: the kernel tells ndp6d of changes, nothing is polled`,
    'delete it')
}

/** Reports statement `index`, which has no meaning here, with the junk behind it. The last index that was covered. */
function reportIgnored(block: readonly Statement[], index: number, where: Where, { report }: Reader): number {
  const statement = block[index]
  const { key, values } = statement
  const place = key.text === '' && values.length > 0 ? values[0] : key
  let last = index
  while (last + 1 < block.length && isJunk(block[last + 1])) last++
  const { end } = block[last].values.at(-1) ?? block[last].key
  const span: Span = { source: place.source, start: place.start, end }
  const found = quote(span.source.text.slice(span.start, span.end) || '{')
  // What 0.2.x hung on was in no file that works.
  const level = where === 'subnet' || /[^\0-\x7f]/.test(place.text) ? 'error' : 'warning'
  const note = level === 'error' ? '' : '; it is ignored'
  if (isJunk(statement)) {
    report[level](span, `${found} is one too many on this line: expected a statement or the end of the line${note}`)
  } else if (key.text === '') {
    report[level](span, `${found} begins no statement: expected a word${note}`)
  } else {
    const { message, hint } = misfit(key.text, where)!
    report[level](place, `${message}${note}`, hint)
  }
  return last
}

/** A word that is left over behind another statement: part of the same slip. */
function isJunk({ trailing, block, key }: Statement): boolean {
  return trailing && block === undefined && !OPTIONS.has(key.text)
}
