import t from 'tap'
import { Report, Source } from '../../src/config/diagnostic.ts'
import { type Keys, parse, type Statement } from '../../src/config/parser.ts'

const KEYS: Readonly<Record<string, 'one' | 'many'>> = { block: 'many', list: 'many', one: 'one', flag: 'one' }
const GRAMMAR: Keys = { arity: (key) => KEYS[key], takesBlock: (key) => key === 'block', belongsIn: (key, outer) => key === 'flag' && outer === 'block' }

function show({ key, values, trailing, block }: Statement): string {
  const head = `${trailing ? '+' : ''}${key.text}(${values.map((value) => value.text).join(' ')})`
  return block === undefined ? head : `${head}{${block.map(show).join(' ')}}`
}

function read(text: string): { tree: string; problems: string[] } {
  const report = new Report()
  const tree = parse(new Source('x', text), GRAMMAR, report).map(show).join(' ')
  return { tree, problems: report.diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message}`) }
}

t.test('statements', async (t) => {
  t.equal(read('block a { one = 1\nflag\n}').tree, 'block(a){one(1) flag()}')
  t.equal(read('block a{block b{flag}block c{flag}}').tree, 'block(a){block(b){flag()} block(c){flag()}}')
  t.equal(read('one 1 one 2').tree, 'one(1) +one(2)', 'nothing ends a statement')
  t.equal(read('one 1; one 2').tree, 'one(1) one(2)')
  t.equal(read('one\n1').tree, 'one() 1()', 'a value is on the line of its key')
})

t.test('lists end with the line or at the next key', async (t) => {
  t.equal(read('list a b.c "d e"\none 1').tree, 'list(a b.c d e) one(1)')
  t.equal(read('list a b one 1').tree, 'list(a b) +one(1)')
  t.equal(read('list one "flag" flag').tree, 'list(one flag) +flag()', 'the first and the quoted are never keys')
  t.equal(read('block a b {flag}').tree, 'block(a b){flag()}')
})

t.test('words left over keep their place', async (t) => {
  t.equal(read('one 1 2 3').tree, 'one(1) +2(3)')
  t.equal(read('= 1\n/64').tree, '(1) (/64)')
  t.equal(read('one == 1').tree, 'one(=) +1()')
})

t.test('a brace on the next line belongs to the statement before', async (t) => {
  t.equal(read('block a # {\n\n{ flag }').tree, 'block(a){flag()}')
  t.equal(read('block a { } { flag }').tree, 'block(a){} (){flag()}')
  t.equal(read('{').tree, '(){}')
})

t.test('unmatched braces', async (t) => {
  t.same(read('block a {\n block b {\n}'), {
    tree: 'block(a){block(b){}}',
    problems: ['1:9 error the block of `block a` is never closed: expected `}` before the end of the file'],
  })
  t.match(read('one 1\n}\n# end').problems, ['2:1 warning unmatched `}`'], 'nothing is lost')
  t.match(read('one 1\n}\none 2\n}'), { tree: 'one(1) one(2)', problems: ['2:1 error', '4:1 warning'] })
})

t.test('a missing `{` is one error, and the tree is complete', async (t) => {
  t.same(read('block a\n flag\n flag\n}\none 1'), { tree: 'block(a){flag() flag()} one(1)',
    problems: ['1:7 error `block a` has no block: expected `{` after it'] })
  t.same(read('block a {\n block b\n flag\n}\n}'), { tree: 'block(a){block(b){flag()}}',
    problems: ['2:8 error `block b` has no block: expected `{` after it'] })
  t.match(read('block a\nblock b {\n flag\n}\n}'), { tree: 'block(a) block(b){flag()}', problems: ['5:1 warning unmatched `}`'] },
    'only where the contents of a block follow')
})

t.test('a colon after a key is one error, and the value is read', async (t) => {
  t.same(read('one: 1\nlist:a b\nblock: {flag}\none:\none ::1\nlist::1'), {
    tree: 'one(1) list(a b) block(){flag()} one() one(::1) list(::1)',
    problems: ['1:4', '2:5', '3:6', '4:4'].map((place, i) =>
      `${place} error unexpected \`:\` after \`${['one', 'list', 'block', 'one'][i]}\`: expected a blank`) })
  t.same(read('other: 1\none ":"').problems, [], 'ndppd ignores an unknown key')
})

t.test('deep nesting does not overflow the call stack', async (t) => {
  const report = new Report()
  parse(new Source('x', 'a {'.repeat(100_000)), { ...GRAMMAR, arity: () => undefined }, report)
  t.equal(report.diagnostics.length, 100_000)
})
