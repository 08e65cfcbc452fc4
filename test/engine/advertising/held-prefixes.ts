/** The prefixes that hosts may have addresses in: how many are kept, and for how long. */
import t from 'tap'
import { Prefix } from '../../../src/address.ts'
import { AdvertisedPrefixes } from '../../../src/engine/advertising/advertised-prefixes.ts'
import type { Instant } from '../../../src/engine-types.ts'

const at = (ms: number): Instant => ms as Instant
const prefix = (n: number): Prefix => Prefix.parse(`2001:db8:${n.toString(16)}::/64`)!
const live = (n: number, valid = 86_400) => ({ prefix: prefix(n), autonomous: true, valid, preferred: 14_400 })

t.test('prefixes that are advertised again and again are no change, however many', async (t) => {
  const prefixes = new AdvertisedPrefixes()
  const many = Array.from({ length: 32 }, (_, n) => live(n))
  prefixes.advertised('eth1', many, at(0))
  const { revision } = prefixes
  for (let i = 1; i < 10; i++) prefixes.advertised('eth1', many, at(1000 * i))
  t.equal(prefixes.revision, revision)
  t.equal(prefixes.saved(at(10_000)).prefixes.length, 32)
})

t.test('of more prefixes than are kept, those go that end first', async (t) => {
  const prefixes = new AdvertisedPrefixes()
  for (let n = 0; n < 500; n++) {
    prefixes.advertised('eth1', [live(0), live(n + 1, 3600)], at(1000 * n))
  }
  const saved = prefixes.saved(at(500_000)).prefixes.map((each) => String(each.prefix))
  t.ok(saved.length <= 64, `${saved.length}`)
  t.ok(saved.includes(String(prefix(0))), 'the one in use stays')
  t.ok(saved.includes(String(prefix(500))))
})

t.test('links that never come back are forgotten when their prefixes have ended', async (t) => {
  const prefixes = new AdvertisedPrefixes()
  for (let n = 0; n < 5000; n++) prefixes.advertised(`veth${n}`, [live(0, 3600)], at(60_000 * n))
  const kept = prefixes.saved(at(0)).links.length
  t.ok(kept <= 62, `${kept} links`)
})
