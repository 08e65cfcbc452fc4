/** Groups are counted, and the switches of the links learn of them. When they are reported: `mld-listener.ts`. */
import t from 'tap'
import fc from 'fast-check'
import { Groups } from '../../../src/engine/listening/groups.ts'
import { suffixOf } from '../../../src/engine/listening/mld-listener.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { Instant, Link } from '../../../src/engine-types.ts'
import type { ListenerQuery } from '../../../src/wire/mld-decode.ts'
import { chance, ETH0, ETH1, ip, linkOf, many, nthMac, own, PartsRecorder, runUntil, Stage, SUBNET } from '../kit/stage.ts'

/** Groups of links with a switch on each, which knows what was reported. */
class Scene {
  readonly recorder = new PartsRecorder()
  readonly links = new Links(chance(1))
  readonly sources: string[] = []
  readonly groups = new Groups({ links: this.links, effects: this.recorder.effects, random: chance(2) })
  now = 0 as Instant

  constructor(...listening: number[]) {
    for (const ifindex of [ETH0, ETH1]) this.links.set(linkOf(ifindex))
    for (const ifindex of listening) this.groups.listening(ifindex)
  }

  link(link: Link): void {
    this.#flush()
    this.links.set(link)
    this.groups.link(link.ifindex)
  }

  /** @returns what switches learn within `ms` */
  take(ms = 0): string[] {
    const until = this.now + ms
    this.#flush()
    runUntil(this.groups, until, (deadline) => {
      this.now = Math.max(this.now, deadline) as Instant
      this.groups.wake(this.now)
      this.#flush()
    })
    this.now = until as Instant
    return this.recorder.take()
  }

  #flush(): void {
    for (const { ifindex, message } of this.recorder.effects.multicasts) {
      if (!this.links.up(ifindex)) throw new Error('a report on a link that is down')
      this.sources.push(`${message.source}`)
    }
    this.recorder.flush()
  }
}

t.test('the group is ff02::1:ff and the low 24 bits, joined once and left with the last address (RFC 4291 2.7.1)', async (t) => {
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
  t.same(scene.take(2000), [], 'one address still needs it')
  groups.remove(ETH0, ip('2001:db8:0:7::ffbc:def0'))
  t.same(scene.take(), ['leave eth0 ff02::1:ffbc:def0'])
  t.equal(groups.size(ETH0), 0)
  t.equal(groups.size(ETH1), 1)
  t.same(groups.limits, [{ name: 'joined groups of one link, at most', used: 1, size: 2 ** 24 }])
})

t.test('all groups are reported again when the link comes up, and when it gets a link-local address (RFC 3810 5.2.13)', async (t) => {
  const scene = new Scene(ETH0)
  scene.groups.add(ETH0, ip('2001:db8::2'))
  scene.take(2000)
  scene.link(linkOf(ETH0, { up: false }))
  scene.groups.add(ETH0, ip('2001:db8::3'))
  t.same(scene.take(2000), [], 'nothing while it is down')
  scene.sources.length = 0
  scene.recorder.members.clear()
  scene.link(linkOf(ETH0, { addresses: [own('fe80::1', 64, true)] }))
  t.same(scene.take(2000).sort(), ['join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3'])
  scene.link(linkOf(ETH0, { addresses: [own('fe80::1', 64, true), own('2001:db8::1')] }))
  t.same(scene.take(2000), [])
  t.same(scene.sources.splice(0), ['::', '::'], 'repeated once; a global address is no better source')
  scene.recorder.members.clear()
  scene.link(linkOf(ETH0))
  t.equal(scene.take(2000).length, 2)
  scene.link(linkOf(ETH0))
  t.same(scene.take(2000), [])
  t.same(scene.sources, ['fe80::ff:2', 'fe80::ff:2'])
})

t.test('at the end all groups are left at once', async (t) => {
  const scene = new Scene(ETH0)
  for (const n of [1, 2]) scene.groups.add(ETH0, ip(`2001:db8::${n}`))
  scene.groups.add(ETH1, ip('2001:db8::1'))
  scene.take(2000)
  scene.groups.stop()
  t.same(scene.recorder.take().sort(), ['leave eth0 ff02::1:ff00:1', 'leave eth0 ff02::1:ff00:2'])
})

t.test('a group that was not added cannot be removed', async (t) => {
  const scene = new Scene(ETH0, ETH1)
  const { groups } = scene
  groups.add(ETH0, ip('2001:db8::2'))
  t.throws(() => groups.remove(ETH0, ip('2001:db8::3')), { message: /2001:db8::3 cannot leave/ })
  t.throws(() => groups.remove(ETH1, ip('2001:db8::2')), { message: /link 3 is no member of ff02::1:ff00:2/ })
  groups.remove(ETH0, ip('2001:db8::2'))
  t.throws(() => groups.remove(ETH0, ip('2001:db8::2')))
})

t.test('500 queries from several queriers cause few reports of all groups', async (t) => {
  const stage = new Stage(SUBNET)
  const HOSTS = 1000
  for (let n = 0; n < HOSTS; n++) {
    stage.ns(ETH1, '2001:db8::1', { source: many(n), from: nthMac(n) })
    stage.wait(1)
    stage.na(ETH1, many(n), nthMac(n))
  }
  stage.wait(5000)
  let reported = 0
  stage.sink.multicast = ({ ifindex, message }) => {
    if (ifindex === ETH0) reported += message.kind === 'state' ? message.groups.length : 1
  }
  const ask = (version: 1 | 2, n: number): void => {
    for (let i = 0; i < 50; i++) {
      const source = ip(`fe80::${i + 1}`)
      const query: ListenerQuery = { kind: 'query', version, source, toAll: true, groups: undefined, delay: [0, 1, 10_000][i % 3] }
      stage.handle({ kind: 'query', ifindex: ETH0, query })
    }
    stage.wait(n)
  }
  for (let n = 0; n < 10; n++) ask(2, 480)
  t.equal(reported, 2 * HOSTS, 'one in 2.5 s')
  stage.wait(3000)
  reported = 0
  for (let n = 0; n < 10; n++) ask(n % 2 === 0 ? 1 : 2, 480)
  t.equal(reported, 2 * HOSTS, 'version 1 as well')
})

const ADDRESSES = ['2001:db8::1', '2001:db8:1::1', 'ff02::1:ff00:1', '2001:db8::2', '2001:db8::fd00:2', 'ff02::1:ffff:ffff'].map(ip)
const ifindex = fc.constantFrom(ETH0, ETH1)
const address = fc.constantFrom(...ADDRESSES)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('add' as const, 'remove' as const), ifindex, address }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('listening' as const, 'gone' as const, 'up' as const, 'down' as const,
    'replugged' as const), ifindex }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('query' as const), ifindex, version: fc.constantFrom(1 as const, 2 as const),
    groups: fc.option(fc.array(address, { maxLength: 2 }), { nil: undefined }), delay: fc.constantFrom(0, 100, 10_000) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('wait' as const), ifindex, ms: fc.nat(2000) }) })

t.test('a switch that receives all reports knows exactly the added groups, after any sequence', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (steps) => {
    const scene = new Scene(ETH1)
    const { groups, links, recorder } = scene
    const added: { ifindex: number; group: number }[] = []
    const listening = new Set([ETH1])
    for (const step of steps) {
      switch (step.op) {
        case 'add':
          groups.add(step.ifindex, step.address)
          added.push({ ifindex: step.ifindex, group: suffixOf(step.address) })
          break
        case 'remove': {
          const at = added.findIndex((each) => each.ifindex === step.ifindex && each.group === suffixOf(step.address))
          let threw = false
          try {
            groups.remove(step.ifindex, step.address)
          } catch {
            threw = true
          }
          if (threw !== at < 0) return false
          if (at >= 0) added.splice(at, 1)
          break
        }
        case 'listening':
          groups.listening(step.ifindex)
          listening.add(step.ifindex)
          break
        case 'gone':
          groups.gone(step.ifindex)
          listening.delete(step.ifindex)
          break
        case 'up': scene.link(linkOf(step.ifindex)); break
        case 'down':
          scene.link(linkOf(step.ifindex, { up: false }))
          // The switch forgets the groups of the port.
          recorder.members.delete(step.ifindex)
          break
        case 'replugged':
          groups.replugged(step.ifindex)
          // Another switch.
          recorder.members.delete(step.ifindex)
          break
        case 'query': groups.query(step.ifindex, step, scene.now); break
        case 'wait': scene.take(step.ms); break
      }
    }
    scene.take(20)
    for (const ifindex of [ETH0, ETH1]) {
      const there = new Set(added.filter((each) => each.ifindex === ifindex).map(({ group }) => group))
      if (groups.size(ifindex) !== there.size) return false
      const known = recorder.members.get(ifindex) ?? new Set()
      const expected = listening.has(ifindex) && links.up(ifindex) ? there : new Set()
      if (known.size !== expected.size || [...known].some((group) => !expected.has(group))) return false
    }
    return true
  }), { numRuns: 500 })
})
