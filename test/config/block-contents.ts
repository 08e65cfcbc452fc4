import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'

function problems(body: string): string[] {
  const { diagnostics } = parseConfig(`proxy eth0 { rule 2001:db8::/64 { auto }\n${body}\n}`, 'x')
  return diagnostics.map((d) => `${d.line}:${d.column}+${d.length} ${d.severity} ${d.message}`)
}

t.test('unknown statements are reported and ignored', async (t) => {
  t.match(problems('rotuer no'), [/^2:1\+6 warning `rotuer` is not known .*; it is ignored$/])
  t.match(problems('unknown x { rule banana { } }'), [/^2:1\+7 warning/], 'with its block')
  t.match(problems('/64 x'), [/^2:1\+5 warning `\/64 x` is not a statement/])
})

t.test('words left over after a value are one problem', async (t) => {
  t.match(problems('ttl 30 s or so'), { length: 1, 0: /^2:8\+7 warning unexpected `s or so`/ })
  t.same(problems('ttl 30 timeout 40'), [], 'but statements may share a line')
})

t.test('a non-ASCII key is an error', async (t) => {
  t.match(problems('網 x'), [/^2:1\+3 error `網 x` is not a statement: expected a keyword$/])
})

t.test('values', async (t) => {
  t.match(problems('ttl'), [/^2:1\+3 error `ttl` has no value: expected a value/])
  t.match(problems('router'), [/^2:1\+6 error `router` has no value: expected yes or no/])
  t.match(problems('override'), [/^2:1\+8 error `override` has no value: expected one of auto, always, never after it/])
  t.match(problems('limit 0'), [/^2:7\+1 error 0 is too small/])
  t.same(problems('limit 1'), [])
  t.match(problems('ttl 5 { }'), [/^2:1\+3 warning `ttl` takes no block/])
})
