import t from 'tap'
import { Report, Source } from '../../src/config/diagnostic.ts'
import { Lexer } from '../../src/config/lexer.ts'

/** Reads `text` as a key, then values up to the end of the line, and so on; each token as `kind:text@start`. */
function tokens(text: string): { tokens: string[]; problems: string[] } {
  const report = new Report()
  const lexer = new Lexer(new Source('x', text), report)
  const found: string[] = []
  for (let expected: 'key' | 'value' = 'key'; ;) {
    const token = lexer.next(expected)
    if (token.kind === 'end') break
    found.push(`${token.kind === 'word' ? expected : token.kind}:${token.text.trim()}@${token.start}`)
    expected = token.kind === 'word' || token.kind === 'equals' ? 'value' : 'key'
  }
  return { tokens: found, problems: report.diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message}`) }
}

t.test('keys, values, blocks', async (t) => {
  t.same(tokens('proxy eth0{static}').tokens, ['key:proxy@0', 'value:eth0@6', 'open:{@10', 'key:static@11', 'close:}@17'])
  t.same(tokens('ttl = 500').tokens, ['key:ttl@0', 'equals:=@4', 'value:500@6'])
  t.same(tokens('ttl=500').tokens, ['key:ttl@0', 'equals:=@3', 'value:500@4'])
  t.same(tokens('rule::1').tokens, ['key:rule@0', 'value:::1@4'], 'a key ends where its characters end')
  t.same(tokens('a b\n\tc').tokens, ['key:a@0', 'value:b@2', 'newline:@3', 'key:c@5'])
  t.same(tokens('/64').tokens, ['key:@0', 'value:/64@0'], 'an empty key')
})

t.test('comments begin only where a token could begin', async (t) => {
  t.same(tokens('iface eth1#x').tokens, ['key:iface@0', 'value:eth1#x@6'])
  t.same(tokens('iface eth1 #x').tokens, ['key:iface@0', 'value:eth1@6'])
  t.same(tokens('iface // eth1\n a').tokens, ['key:iface@0', 'newline:@13', 'key:a@15'])
  t.same(tokens('iface /* \n */ eth1').tokens, ['key:iface@0', 'value:eth1@14'], 'may span lines')
  t.same(tokens('/*/ a').tokens, ['key:a@4'], 'one star opens and closes')
  t.same(tokens('a\n/* b').problems, ['2:1 error this comment is never closed: expected `*/`'])
})

t.test('quotes', async (t) => {
  t.same(tokens('proxy "eth 0"{').tokens, ['key:proxy@0', 'value:eth 0@6', 'open:{@13'])
  t.same(tokens("proxy 'a\"b' c").tokens, ['key:proxy@0', 'value:a"b@6', 'value:c@12'])
  const { tokens: found, problems } = tokens('iface "eth1\r\n}')
  t.same(found, ['key:iface@0', 'value:eth1@6', 'newline:@12', 'close:}@13'])
  t.match(problems, ['1:7 warning quote not closed'])
})

t.test('semicolons', async (t) => {
  t.same(tokens('static;\n};'), { tokens: ['key:static@0', 'semicolon:;@6', 'close:}@8', 'semicolon:;@9'], problems: [] })
  t.same(tokens('iface eth1;;').tokens, ['key:iface@0', 'value:eth1@6', 'semicolon:;@10', 'semicolon:;@11'])
  t.match(tokens('iface eth1;;').problems, ['1:11 warning `;` after `eth1` is ignored'])
  t.same(tokens(' ; a comment {\nb').tokens, ['key:b@15'])
  t.match(tokens('; one\n; two').problems, { length: 1, 0: '1:1 warning this line is read as a comment' }, 'reported once')
  t.same(tokens('; ;}').tokens, ['semicolon:;@0', 'semicolon:;@2', 'close:}@3'])
})

t.test('text that ndppd 0.2.x hangs on', async (t) => {
  t.same(tokens('\ufeffproxy eth0'), { tokens: ['key:proxy@0', 'value:eth0@6'], problems: [] })
  t.same(tokens('a\u00a0b\u2003c').tokens, ['key:a@0', 'value:b@2', 'value:c@4'])
  t.match(tokens('a\u00a0b\u2003c').problems, { length: 1, 0: '1:2 warning unusual blank `<U+00A0>` is read as a space' })
  t.same(tokens('网卡 x').tokens, ['key:@0', 'value:网卡@0', 'value:x@3'])
  t.match(tokens('a\0b \x07').problems, ['1:2 error NUL byte', '1:5 error control character `<U+0007>`'])
  t.match(tokens('\x7fELF\0\x01\0{ \x07 ;').problems, ['1:5 error not a text file, because it has NUL bytes'], 'a binary file is one error')
  t.match(tokens('# a\rb').problems, ['1:4 warning a carriage return alone'])
  t.same(tokens('a b\r\nc\r\n').problems, [])
})

t.test('peekKey', async (t) => {
  const peek = (text: string): string => new Lexer(new Source('x', text), new Report()).peekKey()
  t.equal(peek('  ttl=3'), 'ttl')
  t.equal(peek('static{'), 'static')
  t.equal(peek('host.lan'), '', 'longer than a key')
  t.equal(peek('"host"'), '')
  t.equal(peek('\nhost'), '')
})
