import t from 'tap'
import { GONE_LIMIT, MacChanges } from '../../../src/engine/links/mac-changes.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { ETH0, ETH1, linkOf, mac } from '../kit/stage.ts'

const at = (ms: number): Instant => ms as Instant
const OTHER = mac('02:00:00:00:ff:99')

t.test('a link that comes into use with another address', async (t) => {
  const changes = new MacChanges()
  t.equal(changes.use(linkOf(ETH0), at(0)), false, 'the first address')
  t.equal(changes.use(linkOf(ETH0), at(1)), false)
  t.equal(changes.isRecent(ETH0, at(2)), false)
  t.equal(changes.use(linkOf(ETH0, { mac: OTHER }), at(10)), true)
  t.equal(changes.use(linkOf(ETH0, { mac: OTHER }), at(20)), false, 'once')
  t.equal(changes.isRecent(ETH0, at(53_009)), true)
  t.equal(changes.isRecent(ETH0, at(53_010)), false, 'caches have the new one')
  t.equal(changes.isRecent(ETH1, at(20)), false)
  t.equal(changes.use(linkOf(ETH1, { mac: undefined }), at(20)), false, 'a tunnel')
})

t.test('the address of a link that is gone is kept by its name', async (t) => {
  const changes = new MacChanges()
  changes.leave('eth1', ETH1)
  t.equal(changes.use(linkOf(9, { name: 'eth1' }), at(0)), false, 'it was never used')
  changes.leave('eth1', 9)
  changes.gone(9)
  t.equal(changes.use(linkOf(9, { name: 'eth0' }), at(1)), false, 'another name')
  t.equal(changes.use(linkOf(10, { name: 'eth1', mac: OTHER }), at(2)), true)
  t.equal(changes.isRecent(10, at(3)), true)
  changes.gone(10)
  t.equal(changes.isRecent(10, at(4)), false)
})

t.test('of too many links that are gone, the first is forgotten', async (t) => {
  const changes = new MacChanges()
  for (let n = 0; n <= GONE_LIMIT; n++) {
    changes.use(linkOf(9, { name: `tap${n}` }), at(n))
    changes.leave(`tap${n}`, 9)
    changes.gone(9)
  }
  t.equal(changes.use(linkOf(9, { name: 'tap0', mac: OTHER }), at(1000)), false)
  t.equal(changes.use(linkOf(10, { name: 'tap1', mac: OTHER }), at(1000)), true)
})
