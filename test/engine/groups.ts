/** Groups are counted, and a switch is told of them (checklist J1, J2, J4, J6). What is told when: `listener.ts`. */
import t from 'tap'
import fc from 'fast-check'
import type { Address } from '../../src/address.ts'
import { Groups } from '../../src/engine/groups.ts'
import { Links } from '../../src/engine/links.ts'
import type { Instant, Link } from '../../src/engine/types.ts'
import type { MulticastMessage } from '../../src/wire/mld.ts'
import { ip } from './kit/frames.ts'
import { chance, ETH0, ETH1, linkOf, own, Recorder } from './kit/stage.ts'

/** Groups of links with a switch on each, which knows what it was told. */
class Scene {
  readonly sink = new Recorder()
  readonly links = new Links(chance(1))
  readonly sources: string[] = []
  readonly groups = new Groups(this.links, { multicast: (ifindex, message) => this.#hear(ifindex, message) }, chance(2))
  now = 0 as Instant

  constructor(...heard: number[]) {
    for (const ifindex of [ETH0, ETH1]) this.links.set(linkOf(ifindex))
    for (const ifindex of heard) this.groups.heard(ifindex)
  }

  link(link: Link): void {
    this.links.set(link)
    this.groups.link(link.ifindex)
  }

  /** What switches hear of within `ms`. */
  take(ms = 0): string[] {
    const until = this.now + ms
    for (let turns = 0, next = this.groups.deadline; next !== undefined && next <= until; next = this.groups.deadline) {
      if (turns++ > 10_000) throw new Error('it does not sleep')
      this.now = Math.max(this.now, next) as Instant
      this.groups.wake(this.now)
    }
    this.now = until as Instant
    return this.sink.take()
  }

  #hear(ifindex: number, message: MulticastMessage): void {
    if (!this.links.up(ifindex)) throw new Error('speaks on a link that is down')
    this.sources.push(`${message.source}`)
    this.sink.multicast(ifindex, message)
  }
}

t.test('the group is ff02::1:ff and the low 24 bits, joined once and left with the last address (J1, J2)', async (t) => {
  const scene = new Scene(ETH0, ETH1)
  const { groups } = scene
  groups.add(ETH0, ip('2001:db8::1:2abc:def0'))
  t.same(scene.take(), ['join eth0 ff02::1:ffbc:def0'])
  groups.add(ETH0, ip('2001:db8:0:7::ffbc:def0'))
  groups.add(ETH0, ip('ff02::1:ffbc:def0'))
  t.same(scene.take(2000), [], 'the same group, and the group itself')
  groups.add(ETH1, ip('2001:db8::1:2abc:def0'))
  t.same(scene.take(), ['join eth1 ff02::1:ffbc:def0'], 'another link')
  t.equal(groups.size(ETH0), 1)
  groups.remove(ETH0, ip('2001:db8::1:2abc:def0'))
  groups.remove(ETH0, ip('ff02::1:ffbc:def0'))
  t.same(scene.take(2000), [], 'one still wants it')
  groups.remove(ETH0, ip('2001:db8:0:7::ffbc:def0'))
  t.same(scene.take(), ['leave eth0 ff02::1:ffbc:def0'])
  t.equal(groups.size(ETH0), 0)
  t.equal(groups.size(ETH1), 1)
  t.match(groups.limits, [{ used: 1, size: 2 ** 24 }])
})

t.test('a link that is not heard is left alone; what is wanted there is told once it is heard (J6)', async (t) => {
  const scene = new Scene()
  const { groups } = scene
  groups.add(ETH0, ip('2001:db8::2'))
  groups.add(ETH0, ip('2001:db8::ff00:3'))
  t.same(scene.take(), [])
  groups.heard(ETH0)
  t.same(scene.take().sort(), ['join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3'])
  groups.heard(ETH0)
  t.same(scene.take(2000), [], 'heard in another way only')
  groups.gone(ETH0)
  t.same(scene.take().sort(), ['leave eth0 ff02::1:ff00:2', 'leave eth0 ff02::1:ff00:3'])
  groups.remove(ETH0, ip('2001:db8::2'))
  groups.add(ETH0, ip('2001:db8::4'))
  t.equal(groups.size(ETH0), 2)
  t.same(scene.take(2000), [])
  groups.heard(ETH0)
  t.same(scene.take().sort(), ['join eth0 ff02::1:ff00:3', 'join eth0 ff02::1:ff00:4'])
})

t.test('told again when the link is up again, and when it has an address at last (J4, J6)', async (t) => {
  const scene = new Scene(ETH0)
  scene.groups.add(ETH0, ip('2001:db8::2'))
  scene.take(2000)
  scene.link(linkOf(ETH0, { up: false }))
  scene.groups.add(ETH0, ip('2001:db8::3'))
  t.same(scene.take(2000), [], 'nothing while it is down')
  scene.sources.length = 0
  scene.sink.members.clear()
  scene.link(linkOf(ETH0, { addresses: [own('fe80::1', 64, true)] }))
  t.same(scene.take(2000).sort(), ['join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3'])
  scene.link(linkOf(ETH0, { addresses: [own('fe80::1', 64, true), own('2001:db8::1')] }))
  t.same(scene.take(2000), [])
  t.same(scene.sources.splice(0), ['::', '::'], 'and repeated; a global address is no better')
  scene.sink.members.clear()
  scene.link(linkOf(ETH0))
  t.equal(scene.take(2000).length, 2)
  scene.link(linkOf(ETH0))
  t.same(scene.take(2000), [])
  t.same(scene.sources, ['fe80::ff:2', 'fe80::ff:2'])
})

t.test('what was not told before a link went down, and was heard no more, is told later with the rest', async (t) => {
  const scene = new Scene()
  scene.groups.add(ETH0, ip('2001:db8::2'))
  scene.groups.heard(ETH0)
  scene.link(linkOf(ETH0, { up: false }))
  scene.groups.gone(ETH0)
  scene.groups.add(ETH0, ip('2001:db8::3'))
  scene.link(linkOf(ETH0))
  scene.groups.heard(ETH0)
  t.same(scene.take(2000).sort(), ['join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3'])
})

t.test('told again when something else is at the other end of the link', async (t) => {
  const scene = new Scene(ETH0)
  scene.groups.add(ETH0, ip('2001:db8::2'))
  scene.take(2000)
  scene.sink.members.clear()
  scene.groups.replugged(ETH0)
  scene.groups.replugged(ETH1)
  t.same(scene.take(2000), ['join eth0 ff02::1:ff00:2'])
})

t.test('the end: all groups are left at once', async (t) => {
  const scene = new Scene(ETH0)
  for (const n of [1, 2]) scene.groups.add(ETH0, ip(`2001:db8::${n}`))
  scene.groups.add(ETH1, ip('2001:db8::1'))
  scene.take(2000)
  scene.groups.stop()
  t.same(scene.sink.take().sort(), ['leave eth0 ff02::1:ff00:1', 'leave eth0 ff02::1:ff00:2'])
})

t.test('what was not added cannot be removed', async (t) => {
  const scene = new Scene(ETH0, ETH1)
  const { groups } = scene
  groups.add(ETH0, ip('2001:db8::2'))
  t.throws(() => groups.remove(ETH0, ip('2001:db8::3')), { message: /2001:db8::3 cannot leave/ })
  t.throws(() => groups.remove(ETH1, ip('2001:db8::2')), { message: /link 3 is no member of ff02::1:ff00:2/ })
  groups.remove(ETH0, ip('2001:db8::2'))
  t.throws(() => groups.remove(ETH0, ip('2001:db8::2')))
})

const ADDRESSES = [
  '2001:db8::1', '2001:db8:1::1', 'ff02::1:ff00:1', '2001:db8::2', '2001:db8::fd00:2', 'ff02::1:ffff:ffff',
].map(ip)
const ifindex = fc.constantFrom(ETH0, ETH1)
const address = fc.constantFrom(...ADDRESSES)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('add' as const, 'remove' as const), ifindex, address }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('heard' as const, 'gone' as const, 'up' as const, 'down' as const,
    'replugged' as const), ifindex }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('query' as const), ifindex, version: fc.constantFrom(1 as const, 2 as const),
    groups: fc.option(fc.array(address, { maxLength: 2 }), { nil: undefined }), delay: fc.constantFrom(0, 100, 10_000) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('wait' as const), ifindex, ms: fc.nat(2000) }) })

t.test('a switch that heard all knows of exactly what is wanted, after any sequence', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
    const scene = new Scene(ETH1)
    const { groups, links, sink } = scene
    const wanted: { ifindex: number; group: number }[] = []
    const heard = new Set([ETH1])
    const groupOf = ({ w3 }: Address): number => w3 & 0xffffff
    for (const step of steps) {
      switch (step.op) {
        case 'add':
          groups.add(step.ifindex, step.address)
          wanted.push({ ifindex: step.ifindex, group: groupOf(step.address) })
          break
        case 'remove': {
          const at = wanted.findIndex((one) => one.ifindex === step.ifindex && one.group === groupOf(step.address))
          let threw = false
          try {
            groups.remove(step.ifindex, step.address)
          } catch {
            threw = true
          }
          if (threw !== at < 0) return false
          if (at >= 0) wanted.splice(at, 1)
          break
        }
        case 'heard':
          groups.heard(step.ifindex)
          heard.add(step.ifindex)
          break
        case 'gone':
          groups.gone(step.ifindex)
          heard.delete(step.ifindex)
          break
        case 'up':
          scene.link(linkOf(step.ifindex))
          break
        case 'down':
          scene.link(linkOf(step.ifindex, { up: false }))
          // The switch forgets who was behind the port.
          sink.members.delete(step.ifindex)
          break
        case 'replugged':
          groups.replugged(step.ifindex)
          // Another switch.
          sink.members.delete(step.ifindex)
          break
        case 'query': groups.query(step.ifindex, step, scene.now); break
        case 'wait': scene.take(step.ms); break
      }
    }
    scene.take(20)
    for (const ifindex of [ETH0, ETH1]) {
      const there = new Set(wanted.filter((one) => one.ifindex === ifindex).map(({ group }) => group))
      if (groups.size(ifindex) !== there.size) return false
      const known = sink.members.get(ifindex) ?? new Set()
      const expected = heard.has(ifindex) && links.up(ifindex) ? there : new Set()
      if (known.size !== expected.size || [...known].some((group) => !expected.has(group))) return false
    }
    return true
  }), { numRuns: 500 })
})
