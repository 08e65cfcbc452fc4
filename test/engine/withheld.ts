import t from 'tap'
import { Address } from '../../src/address.ts'
import type { Mac } from '../../src/address.ts'
import type { Advertisement } from '../../src/engine/types.ts'
import { Withheld } from '../../src/engine/withheld.ts'

const address = (text: string): Address => Address.parse(text)!
const message = { ifindex: 2, source: address('fe80::1'), d0: 0, d1: 0, d2: 0, d3: 1, t0: 0, t1: 0, t2: 0, t3: 0, to: 1 as Mac,
  router: false, solicited: true, override: false }
/** The same object each time, as the engine has it. */
function about(text: string): Advertisement {
  const { w0, w1, w2, w3 } = address(text)
  return Object.assign(message, { t0: w0, t1: w1, t2: w2, t3: w3 })
}
const targets = (kept: readonly Advertisement[]): string[] => kept.map(({ t0, t1, t2, t3 }) => new Address(t0, t1, t2, t3).toString())

t.test('only answers about targets whose routes are under way wait', async (t) => {
  const withheld = new Withheld(() => 0.5)
  t.notOk(withheld.keep(about('2001:db8::2')))
  withheld.await(address('2001:db8::2'))
  withheld.await(address('2001:db8::3'))
  t.ok(withheld.keep(about('2001:db8::3')))
  t.ok(withheld.keep(about('2001:db8::2')))
  t.notOk(withheld.keep(about('2001:db8::4')))
  t.same(withheld.limits, [{ name: 'answers that wait for routes', used: 2, size: 4096 }])
  t.same(targets(withheld.release()), ['2001:db8::3', '2001:db8::2'], 'copies, in their order')
  t.notOk(withheld.keep(about('2001:db8::2')), 'its route is there')
  t.same(withheld.release(), [])
})

t.test('each goes out when its own route is there', async (t) => {
  const withheld = new Withheld(() => 0.5)
  const change = (text: string, op: 'add' | 'delete' = 'add') => ({ op, route: { target: address(text), ifindex: 3 } })
  for (const text of ['2001:db8::2', '2001:db8::3', '2001:db8::4']) {
    withheld.await(address(text))
    withheld.keep(about(text))
  }
  t.same(withheld.made([change('2001:db8::2', 'delete'), change('2001:db8::9')]), [])
  t.same(targets(withheld.made([change('2001:db8::4'), change('2001:db8::2')])), ['2001:db8::2', '2001:db8::4'])
  t.notOk(withheld.keep(about('2001:db8::4')))
  t.ok(withheld.keep(about('2001:db8::3')))
  t.same(targets(withheld.made([change('2001:db8::3')])), ['2001:db8::3', '2001:db8::3'])
  t.same(withheld.release(), [])
})

t.test('no more than there is room for', async (t) => {
  const withheld = new Withheld(() => 0.5)
  withheld.await(address('2001:db8::2'))
  t.equal(Array.from({ length: 4096 }, () => withheld.keep(about('2001:db8::2'))).filter(Boolean).length, 4096)
  t.notOk(withheld.keep(about('2001:db8::2')))
  t.equal(withheld.release().length, 4096)
  withheld.await(address('2001:db8::2'))
  t.ok(withheld.keep(about('2001:db8::2')))
})
