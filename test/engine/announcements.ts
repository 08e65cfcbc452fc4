import t from 'tap'
import { Address } from '../../src/address.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import { Announcements } from '../../src/engine/announcements.ts'
import type { Instant } from '../../src/engine/types.ts'

const at = (time: number): Instant => time as Instant
const target = (n: number): Address => new Address(0x20010db8, 0, 0, n)

t.test('new ones have their turn first, and each queue its order', (t) => {
  const all = new Announcements(() => 0)
  t.equal(all.due(at(0)), -1)
  t.equal(all.next, undefined)
  for (const n of [1, 2, 3]) all.add(target(n), 7, DEFAULTS, n === 2, at(n))
  t.equal(all.due(at(0.5)), -1)
  t.equal(all.next, 1)
  const turn = (now: number): string => {
    const id = all.due(at(now))
    const said = `${all.target(id)} ${all.ifindex(id)} ${all.isChanged(id)} ${all.sent(id)} ${all.waits(id)}`
    all.again(id, now % 2 === 0, at(now + 10))
    return said
  }
  t.strictSame([4, 5, 6].map(turn), ['2001:db8::1 7 false 0 0', '2001:db8::2 7 true 0 0', '2001:db8::3 7 false 0 0'])
  t.equal(all.next, 14)
  t.equal(all.due(at(13)), -1)
  all.add(target(4), 8, DEFAULTS, false, at(13))
  t.strictSame([14, 15, 16].map(turn), ['2001:db8::4 8 false 0 0', '2001:db8::1 7 false 1 0', '2001:db8::2 7 true 0 1'])
  t.equal(all.target(all.oldest).toString(), '2001:db8::3')
  t.end()
})

t.test('as a list of objects would do, whatever is done', (t) => {
  let seed = 1
  const random = (): number => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff
  const all = new Announcements(random)
  let known: { n: number; ifindex: number }[] = []
  const pick = (size: number): number => Math.floor(random() * size)
  for (let step = 0; step < 20_000; step++) {
    const [n, ifindex] = [pick(40), 1 + pick(3)]
    const what = step % 1000 > 900 ? 9 : pick(10)
    if (what < 5) {
      for (const id of all.of(target(n))) if (all.ifindex(id) === ifindex) all.drop(id)
      known = known.filter((one) => one.n !== n || one.ifindex !== ifindex)
      all.add(target(n), ifindex, DEFAULTS, false, at(step))
      known.push({ n, ifindex })
    } else if (what < 7) {
      const id = all.due(at(step))
      if (id >= 0) all.again(id, false, at(step))
    } else if (what === 7) {
      for (const id of all.of(target(n))) all.drop(id)
      known = known.filter((one) => one.n !== n)
    } else if (what === 8) {
      const id = all.due(at(step))
      if (id < 0) continue
      const [w3, on] = [all.target(id).w3, all.ifindex(id)]
      known = known.filter((one) => one.n !== w3 || one.ifindex !== on)
      all.drop(id)
    } else if (step % 50 === 0) {
      for (const id of all.on(ifindex)) all.drop(id)
      known = known.filter((one) => one.ifindex !== ifindex)
    }
    const here = [...all.of(target(n))].map((id) => all.ifindex(id)).sort()
    const wanted = known.filter((one) => one.n === n).map((one) => one.ifindex).sort()
    if (String(here) !== String(wanted) || all.size !== known.length) t.fail(`step ${step}: ${here} for ${wanted}`)
  }
  let turns = 0
  for (let id = all.due(at(30_000)); id >= 0; id = all.due(at(30_000))) {
    all.drop(id)
    turns++
  }
  t.equal(turns, known.length, 'each has its turn')
  t.end()
})

t.test('very many, and none any more', (t) => {
  const all = new Announcements(() => 0.5)
  for (let n = 0; n < 5000; n++) all.add(target(n), 1, DEFAULTS, false, at(n))
  for (let n = 0; n < 5000; n++) for (const id of all.of(target(n))) all.drop(id)
  t.equal(all.size, 0)
  t.equal(all.next, undefined)
  all.add(target(1), 1, DEFAULTS, false, at(0))
  t.strictSame([...all.of(target(1))], [0], 'room is given back')
  t.end()
})
