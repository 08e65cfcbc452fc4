/**
 * Parses tokens into blocks by the grammar of ndppd 0.2.x: a block is a list of `KEY [=] [VALUE] [{ BLOCK }]`. A statement
 * has no terminator; its value is on the line of its key. Extensions: some keys take several values, and `{` may be on a
 * line of its own. The compiler checks the keys.
 */
import { quote, type Report, type Source, type Span } from './diagnostic.ts'
import { Lexer, type Token } from './lexer.ts'

export interface Word extends Span {
  readonly text: string
  readonly quoted: boolean
}

export interface Placed<T> {
  readonly value: T
  readonly word: Word
}

export interface Statement {
  /** Empty text if there is no key. */
  readonly key: Word
  readonly values: readonly Word[]
  /** The statement follows the value of another statement on the same line. */
  readonly trailing: boolean
  readonly block: readonly Statement[] | undefined
  /** A `:` follows the key. The parser has reported it. */
  readonly colon: boolean
}

/** What the parser needs to know of a key. */
export interface Keys {
  /** Number of values that a key takes: one or all that follow; undefined for an unknown key. */
  arity(key: string): 'one' | 'many' | undefined
  takesBlock(key: string): boolean
  /** Whether a statement `key` is allowed in the block of a statement `outer`. */
  belongsIn(key: string, outer: string): boolean
}

interface Draft extends Statement {
  values: Word[]
  block: Draft[] | undefined
}

/** A statement that needs a block but has none yet. `statements` are those of the block around it. */
interface Headless {
  readonly owner: Draft
  readonly statements: Draft[]
}

/** An open block, and the statement that it belongs to. `statements` are those of the block around that statement. */
interface Open {
  readonly statements: Draft[]
  readonly brace: Token
  readonly owner: Draft
}

/**
 * Parses `source`. Problems go to `report`, and parsing continues after them. Open blocks are on a stack in memory, so that
 * deep nesting cannot overflow the call stack.
 */
export function parse(source: Source, keys: Keys, report: Report): readonly Statement[] {
  const lexer = new Lexer(source, report)
  const top: Draft[] = []
  const stack: Open[] = []
  let statements = top
  const strays: Token[] = []
  /** Statements whose `{` was not read yet. */
  const headless: Headless[] = []
  let last: Draft | undefined // the owner of a `{` that comes next
  let trailing = false

  for (;;) {
    const token = lexer.next('key')
    trailing &&= !token.isFirst
    switch (token.kind) {
      case 'end':
        for (const { brace, owner } of stack) {
          const name = [owner.key, ...owner.values].map((word) => word.text).join(' ')
          report.error(brace, 'unclosed', `the block of ${quote(name)} is never closed: expected \`}\` before the end of the file`)
        }
        for (const stray of strays) reportStray(stray, top, report)
        return top
      case 'open': {
        const owner: Draft = last ?? { key: nothing(token), values: [], trailing: false, block: undefined, colon: false }
        if (last === undefined) statements.push(owner)
        owner.block = []
        if (headless.at(-1)?.owner === owner) headless.pop()
        stack.push({ statements, brace: token, owner })
        statements = owner.block
        last = undefined
        trailing = false
        break
      }
      case 'close':
        if (stack.length > 0) statements = stack.pop()!.statements
        else if (!adopt(headless, keys, report)) strays.push(token)
        last = undefined
        trailing = false
        break
      case 'semicolon':
        trailing = false
        break
      case 'word':
      case 'equals': {
        if (token.kind === 'equals') lexer.back(token)
        const key = token.kind === 'word' ? token : nothing(token)
        last = { key, ...readValues(lexer, key, keys, report), trailing, block: undefined }
        statements.push(last)
        if (keys.takesBlock(key.text)) headless.push({ owner: last, statements })
        trailing = true
      }
    }
  }
}

/**
 * Handles a `}` that closes no block, probably because a `{` is missing. Finds the last statement that lacks its block and is followed by
 * a statement that belongs in this block. Reports the missing `{`, and moves all following statements into the block.
 * @returns false if there is no such statement
 */
function adopt(headless: Headless[], keys: Keys, report: Report): boolean {
  for (let found = headless.pop(); found !== undefined; found = headless.pop()) {
    const { owner, statements } = found
    const from = statements.indexOf(owner) + 1
    if (from === statements.length || !keys.belongsIn(statements[from].key.text, owner.key.text)) continue
    const words = [owner.key, ...owner.values]
    report.error(words.at(-1)!, 'missing-block', `${quote(words.map((word) => word.text).join(' '))} has no block: expected \`{\` after it`)
    owner.block = statements.splice(from)
    return true
  }
  return false
}

/** Reads the values of `key`: one, or all on its line up to the next known key. Reports a `:` after a known key. */
function readValues(lexer: Lexer, key: Word, { arity }: Keys, report: Report): { values: Word[]; colon: boolean } {
  const values: Word[] = []
  let token = lexer.next('value')
  const colon = arity(key.text) !== undefined && token.kind === 'word' && !token.quoted && /^:(?!:)/.test(token.text)
  if (colon) {
    const { start } = token
    token = token.text === ':' ? lexer.next('value') : { ...token, start: start + 1, text: token.text.slice(1) }
    const example = token.kind === 'word' ? `${key.text} ${token.text}` : key.text
    report.error({ source: key.source, start, end: start + 1 }, 'unexpected-colon',
      `unexpected \`:\` after \`${key.text}\`: expected a blank`,
      `delete the colon: ${quote(example)}`)
  }
  if (token.kind === 'equals') token = lexer.next('value')
  while (token.kind === 'word' || token.kind === 'equals') {
    values.push(token)
    if (arity(key.text) !== 'many') return { values, colon }
    // A quoted word is never a key, so a link can be named `host`.
    if (arity(lexer.peekKey()) !== undefined) return { values, colon }
    token = lexer.next('value')
  }
  lexer.back(token)
  return { values, colon }
}

function nothing({ source, start }: Token): Word { return { source, start, end: start, text: '', quoted: false } }

/** Reports a `}` that closes no block: an error if statements follow, because ndppd 0.2.x silently ignores them; else a warning. */
function reportStray(stray: Token, top: readonly Statement[], report: Report): void {
  const after = top.at(-1)
  const found = 'unmatched `}`: expected a statement'
  if (after === undefined || after.key.start < stray.start) report.warning(stray, 'unmatched-brace', found, 'delete it')
  else report.error(stray, 'unmatched-brace', found, 'delete it; ndppd 0.2.x silently ignores everything after it')
}
