/**
 * Tokens -> blocks, by the grammar of ndppd 0.2.x: a block is a run of `KEY [=] [VALUE] [{ BLOCK }]`. Nothing ends
 * a statement; a value must be on its key's line. Ours on top of it: some keys take several values, and `{` may
 * stand on a line of its own. No key is judged here; that is the schema's.
 */
import type { Report, Source, Span } from './diagnostic.ts'
import { quote } from './diagnostic.ts'
import type { Token } from './lexer.ts'
import { Lexer } from './lexer.ts'

export interface Word extends Span {
  readonly text: string
  readonly quoted: boolean
}

/** A value and the word that gave it. */
export interface Placed<T> {
  readonly value: T
  readonly word: Word
}

export interface Statement {
  /** Empty text when something else than a key stands there. */
  readonly key: Word
  readonly values: readonly Word[]
  /** It begins right behind another statement's value, on the same line. */
  readonly trailing: boolean
  readonly block: readonly Statement[] | undefined
}

/** What the parser must know of a key: whether it takes one value or as many as follow; undefined for unknown keys. */
export type Arity = (key: string) => 'one' | 'many' | undefined

interface Draft extends Statement {
  values: Word[]
  block: Draft[] | undefined
}

/** A block that is still open: its statements, and what it belongs to. */
interface Open {
  readonly statements: Draft[]
  readonly brace: Token
  readonly owner: Draft
}

/**
 * The statements of `source`, whatever it contains; every problem goes to `report`, and parsing goes on behind it.
 * Nesting is bounded by memory only: blocks are kept on a stack of our own.
 */
export function parse(source: Source, arity: Arity, report: Report): readonly Statement[] {
  const lexer = new Lexer(source, report)
  const top: Draft[] = []
  const stack: Open[] = []
  let statements = top
  const strays: Token[] = []
  let last: Draft | undefined // the statement that a `{` would belong to
  let trailing = false

  for (;;) {
    const token = lexer.next('key')
    trailing &&= !token.fresh
    switch (token.kind) {
      case 'end':
        for (const open of stack) reportUnclosed(open, report)
        for (const stray of strays) reportStray(stray, top, report)
        return top
      case 'open': {
        const owner: Draft = last ?? { key: nothing(token), values: [], trailing: false, block: undefined }
        if (last === undefined) statements.push(owner)
        owner.block = []
        stack.push({ statements, brace: token, owner })
        statements = owner.block
        last = undefined
        trailing = false
        break
      }
      case 'close':
        if (stack.length > 0) statements = stack.pop()!.statements
        else strays.push(token)
        last = undefined
        trailing = false
        break
      case 'semicolon':
        trailing = false
        break
      case 'newline': // between statements it means nothing
        break
      case 'word': case 'equals': {
        if (token.kind === 'equals') lexer.back(token)
        const key = token.kind === 'word' ? token : nothing(token)
        last = { key, values: readValues(lexer, key, arity), trailing, block: undefined }
        statements.push(last)
        trailing = true
      }
    }
  }
}

/** The values of `key`: one, or all on its line up to the next known key. */
function readValues(lexer: Lexer, key: Word, arity: Arity): Word[] {
  const values: Word[] = []
  let token = lexer.next('value')
  if (token.kind === 'equals') token = lexer.next('value')
  while (token.kind === 'word' || token.kind === 'equals') {
    values.push(token)
    if (arity(key.text) !== 'many') return values
    // A quoted word is never a key: that is how a link may be called `host`.
    if (arity(lexer.peekKey()) !== undefined) return values
    token = lexer.next('value')
  }
  lexer.back(token)
  return values
}

function nothing({ source, start }: Token): Word {
  return { source, start, end: start, text: '', quoted: false }
}

function reportUnclosed({ brace, owner }: Open, report: Report): void {
  const name = [owner.key, ...owner.values].map((word) => word.text).join(' ')
  report.error(brace, `the block of ${quote(name)} is never closed: expected \`}\` before the end of the file`)
}

/** 0.2.x ends the file here, in silence. What follows was surely meant, so it may not be dropped: an error. */
function reportStray(stray: Token, top: readonly Statement[], report: Report): void {
  const after = top.at(-1)
  const found = '`}` closes nothing: expected a statement'
  if (after === undefined || after.key.start < stray.start) report.warning(stray, found, 'delete it')
  else report.error(stray, found, 'delete it; ndppd 0.2.x ignores everything after it, without a word')
}
