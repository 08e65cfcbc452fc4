import t from 'tap'
import { type Diagnostic, quote, renderDiagnostic, Report, Source, summarize, whereIs } from '../../src/config/diagnostic.ts'

function render(text: string, start: number, end: number, hint?: string): string[] {
  const report = new Report()
  report.error({ source: new Source('f', text), start, end }, 'bad-value', 'found, expected', hint)
  return renderDiagnostic(report.diagnostics[0]).split('\n')
}

t.test('locate', async (t) => {
  const source = new Source('f', '\ufeffa\nbc\r\n\nd')
  t.same(source.locate(0), { line: 1, column: 1, start: 0, end: 1 })
  t.same(source.locate(3), { line: 2, column: 2, start: 2, end: 4 })
  t.same(source.locate(6), { line: 3, column: 1, start: 6, end: 6 })
  t.same(source.locate(8), { line: 4, column: 2, start: 7, end: 8 }, 'the end of the text')
  t.same(new Source('f', '').locate(0), { line: 1, column: 1, start: 0, end: 0 })
})

t.test('report', async (t) => {
  const report = new Report()
  const source = new Source('f', 'one\ntwo')
  report.warning({ source, start: 4, end: 99 }, 'no-effect', 'message')
  t.notOk(report.hasErrors)
  t.same(report.diagnostics, [{ severity: 'warning', code: 'no-effect', file: 'f', line: 2, column: 1, length: 3, message: 'message', text: 'two' }])
  report.error({ source, start: 7, end: 7 }, 'duplicate', 'message', 'hint')
  t.ok(report.hasErrors)
  t.match(report.diagnostics[1], { severity: 'error', column: 4, length: 1, hint: 'hint' })
  t.ok(report.first('topic'))
  t.notOk(report.first('topic'))
})

t.test('rendering', async (t) => {
  t.same(render('proxy eth0 {\n  ttl abc\n', 19, 22, 'do this'), [
    'f:2:7: error: found, expected',
    '    ttl abc',
    '        ^~~',
    '  hint: do this',
  ])
  t.same(render('\tttl\tabc', 5, 8).slice(1), ['  \tttl\tabc', '  \t   \t^~~'], 'tabs stay tabs')
  t.same(render('网卡 äb x', 3, 5).slice(1), ['  网卡 äb x', '       ^~'], 'wide characters count twice')
  t.same(render('a\u0308 b', 3, 4).slice(1), ['  a\u0308 b', '    ^'], 'combining characters do not count')
  t.same(render('a', 1, 1).slice(1), ['  a', '   ^'])
  const [, shown, caret] = render(`${'x'.repeat(5000)}here${'y'.repeat(5000)}`, 5000, 5004)
  t.ok(shown.length < 140)
  t.equal(shown.slice(caret.indexOf('^'), caret.indexOf('^') + 4), 'here', 'a long line is cut around the caret')
})

t.test('quote, whereIs', async (t) => {
  t.equal(quote('a b'), '`a b`')
  t.equal(quote('\u00a0\x07'), '`<U+00A0><U+0007>`')
  t.equal(quote('x'.repeat(100)), `\`${'x'.repeat(57)}...\``)
  const [one, two] = [new Source('one', 'a\nb'), new Source('two', 'a')]
  t.equal(whereIs({ source: one, start: 2, end: 3 }, { source: one, start: 0, end: 1 }), 'line 2')
  t.equal(whereIs({ source: one, start: 2, end: 3 }, { source: two, start: 0, end: 1 }), 'one line 2')
})

t.test('summarize', async (t) => {
  const problem = (severity: 'error' | 'warning', line: number): Diagnostic =>
    ({ severity, code: 'bad-value', file: 'f', line, column: 5, length: 1, message: `m${line}`, text: '' })
  t.equal(summarize([problem('error', 4)]), 'f:4:5: error: m4 (1 error)')
  t.equal(summarize([problem('warning', 1), problem('error', 4), problem('error', 9)]), 'f:4:5: error: m4 (1 of 2 errors, 1 warning)')
  t.equal(summarize([problem('error', 4), problem('warning', 5), problem('warning', 6)]), 'f:4:5: error: m4 (1 error, 2 warnings)')
  t.equal(summarize([problem('warning', 5), problem('warning', 6)]), 'f:5:5: warning: m5 (1 of 2 warnings)')
})
