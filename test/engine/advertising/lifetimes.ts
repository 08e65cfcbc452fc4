import t from 'tap'
import { DNS_LIFETIME, haveChanged } from '../../../src/engine/advertising/lifetimes.ts'

/** @returns whether a lifetime of `before` seconds has changed if it is `now` after `passed` seconds */
const isChange = (before: number, now: number, passed: number): boolean => haveChanged(new Map([['a', now]]), new Map([['a', before]]), passed)

t.test('a lifetime that counted down is unchanged, with a tolerance of a tenth', async (t) => {
  t.equal(isChange(1000, 900, 100), false)
  t.equal(isChange(1000, 1000, 0), false)
  t.equal(isChange(1000, 811, 100), false)
  t.equal(isChange(1000, 809, 100), true)
  t.equal(isChange(1000, 999, 100), false, '900 are left, and a tenth of 999 is 99.9')
  t.equal(isChange(1000, 1001, 100), true)
})

t.test('a name that was not advertised had the default lifetime, or more', async (t) => {
  const isNew = (lifetime: number, passed: number): boolean => haveChanged(new Map([['servers ::1', lifetime]]), new Map(), passed)
  t.equal(isNew(DNS_LIFETIME - 100, 100), false)
  t.equal(isNew(DNS_LIFETIME - 500, 100), true)
  t.equal(isNew(DNS_LIFETIME - 1, 1000), false, 'the former one was longer')
})
