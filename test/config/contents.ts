import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'

function said(body: string): string[] {
  const { diagnostics } = parseConfig(`proxy eth0 { rule 2001:db8::/64 { auto }\n${body}\n}`, 'x')
  return diagnostics.map((d) => `${d.line}:${d.column}+${d.length} ${d.severity} ${d.message}`)
}

t.test('what is not known is named, and ignored', async (t) => {
  t.match(said('rotuer no'), [/^2:1\+6 warning `rotuer` is not known .*; it is ignored$/])
  t.match(said('unknown x { rule banana { } }'), [/^2:1\+7 warning/], 'with all that is in it')
  t.match(said('/64 x'), [/^2:1\+5 warning `\/64 x` begins no statement/])
})

t.test('junk behind a value is one problem', async (t) => {
  t.match(said('ttl 30 s or so'), { length: 1, 0: /^2:8\+7 warning `s or so` is one too many on this line/ })
  t.same(said('ttl 30 timeout 40'), [], 'but statements may share a line')
})

t.test('what was never in a file that works is an error', async (t) => {
  t.match(said('網 x'), [/^2:1\+3 error `網 x` begins no statement: expected a word$/])
})

t.test('values', async (t) => {
  t.match(said('ttl'), [/^2:1\+3 error `ttl` has no value: expected a value/])
  t.match(said('router'), [/^2:1\+6 error `router` has no value: expected yes or no/])
  t.match(said('override'), [/^2:1\+8 error `override` has no value: expected one of auto, always, never behind it/])
  t.match(said('limit 0'), [/^2:7\+1 error 0 is too small/])
  t.match(said('ttl 5 { }'), [/^2:1\+3 warning `ttl` takes no block/])
})
