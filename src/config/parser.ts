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
  /** The statement follows the value of another one on the same line. */
  readonly trailing: boolean
  readonly block: readonly Statement[] | undefined
}

/** Number of values that a key takes: one or all that follow; undefined for an unknown key. */
export type Arity = (key: string) => 'one' | 'many' | undefined

interface Draft extends Statement {
  values: Word[]
  block: Draft[] | undefined
}

/** An open block and the statement it belongs to; `statements` is the enclosing block. */
interface Open {
  readonly statements: Draft[]
  readonly brace: Token
  readonly owner: Draft
}

/**
 * Parses `source`. Problems go to `report`, and parsing continues after them. Open blocks are on a stack in memory, so that
 * deep nesting cannot overflow the call stack.
 */
export function parse(source: Source, arity: Arity, report: Report): readonly Statement[] {
  const lexer = new Lexer(source, report)
  const top: Draft[] = []
  const stack: Open[] = []
  let statements = top
  const strays: Token[] = []
  let last: Draft | undefined // the owner of a `{` that comes next
  let trailing = false

  for (;;) {
    const token = lexer.next('key')
    trailing &&= !token.isFirst
    switch (token.kind) {
      case 'end':
        for (const { brace, owner } of stack) {
          const name = [owner.key, ...owner.values].map((word) => word.text).join(' ')
          report.error(brace, `the block of ${quote(name)} is never closed: expected \`}\` before the end of the file`)
        }
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
      case 'word':
      case 'equals': {
        if (token.kind === 'equals') lexer.back(token)
        const key = token.kind === 'word' ? token : nothing(token)
        last = { key, values: readValues(lexer, key, arity), trailing, block: undefined }
        statements.push(last)
        trailing = true
      }
    }
  }
}

/** Reads the values of `key`: one, or all on its line up to the next known key. */
function readValues(lexer: Lexer, key: Word, arity: Arity): Word[] {
  const values: Word[] = []
  let token = lexer.next('value')
  if (token.kind === 'equals') token = lexer.next('value')
  while (token.kind === 'word' || token.kind === 'equals') {
    values.push(token)
    if (arity(key.text) !== 'many') return values
    // A quoted word is never a key, so a link can be named `host`.
    if (arity(lexer.peekKey()) !== undefined) return values
    token = lexer.next('value')
  }
  lexer.back(token)
  return values
}

function nothing({ source, start }: Token): Word { return { source, start, end: start, text: '', quoted: false } }

/** Reports a `}` without block. ndppd 0.2.x silently ignores all that follows, so it is an error if statements follow. */
function reportStray(stray: Token, top: readonly Statement[], report: Report): void {
  const after = top.at(-1)
  const found = 'unmatched `}`: expected a statement'
  if (after === undefined || after.key.start < stray.start) report.warning(stray, found, 'delete it')
  else report.error(stray, found, 'delete it; ndppd 0.2.x silently ignores everything after it')
}
