import t from 'tap'
import { DEFAULTS } from '../../src/config/defaults.ts'
import { arity, misfit, OPTIONS, wordsOf } from '../../src/config/option-table.ts'

t.test('proxy and subnet blocks have an option for each setting that it can have', async (t) => {
  const sets = (where: 'proxy' | 'subnet'): unknown[] => {
    return wordsOf(where).map((word) => OPTIONS.get(word)!.sets).filter((field) => field !== undefined).sort()
  }
  const all = Object.keys(DEFAULTS).sort()
  t.same(sets('subnet'), all)
  t.same(sets('proxy'), all.filter((field) => !['learn', 'routerAdvertisements', 'defaultRoute'].includes(field)))
})

t.test('arity', async (t) => {
  t.equal(arity('ttl'), 'one')
  t.equal(arity('iface'), 'many')
  t.equal(arity('proxy'), 'many')
  t.equal(arity('Proxy'), undefined, 'case matters')
  t.equal(arity('constructor'), undefined)
})

t.test('misfit', async (t) => {
  t.equal(misfit('ttl', 'proxy'), undefined)
  t.match(misfit('ttl', 'top'), { message: '`ttl` is not allowed outside of all blocks: expected it in a `proxy`' })
  t.match(misfit('proxy', 'rule'), { hint: /`}` missing/ })
  t.match(misfit('autowire', 'subnet'), { hint: /`routes`/ })
  t.match(misfit('rotuer', 'proxy'), { message: /not known in a `proxy` block/, hint: 'did you mean `router`?' })
  t.match(misfit('upstraem', 'proxy'), { hint: 'did you mean `upstream`?' }, 'a key of another block')
  t.match(misfit('rewrite', 'rule'), { message: /another ndppd/ })
  t.match(misfit('wurzel', 'rule'), { hint: 'known words: static, auto, iface, autovia' })
})
