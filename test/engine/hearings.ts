/** Which links are heard, how, and the memberships that do not depend on who is there (checklist J1, J2). */
import t from 'tap'
import { Groups } from '../../src/engine/groups.ts'
import { Hearings } from '../../src/engine/hearings.ts'
import { Links } from '../../src/engine/links.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { Instant, Link } from '../../src/engine/types.ts'
import { chance, configOf, ETH0, ETH1, ETH2, linkOf, LO, own, Recorder, SUBNET, twoLinks } from './kit/stage.ts'

const PINNED = 'ff02::1:ff00:1'
const OWN = 'ff02::1:ff00:ff'

class Scene {
  readonly sink = new Recorder()
  readonly links = new Links(chance(1))
  readonly hearings: Hearings
  readonly #groups = new Groups(this.links, this.sink, chance(1))
  #rules: Rules

  constructor(config = SUBNET, present: readonly Link[] = []) {
    this.#rules = new Rules(configOf(config), chance(1))
    this.hearings = new Hearings(this.#rules, this.links, this.#groups, this.sink)
    for (const link of present) this.link(link)
    this.sink.take()
  }

  link(link: Link, byRoute = false): string[] {
    this.links.set(link)
    this.#rules.link(link)
    this.hearings.update(link, byRoute)
    this.hearings.join()
    this.#groups.wake(0 as Instant)
    return this.sink.take()
  }

  gone(ifindex: number): string[] {
    this.links.delete(ifindex)
    this.#rules.gone(ifindex)
    this.hearings.gone(ifindex)
    this.hearings.join()
    this.#groups.wake(0 as Instant)
    return this.sink.take()
  }

  configure(config: string): string[] {
    this.#rules = this.hearings.rules = new Rules(configOf(config), chance(1))
    for (const link of this.links.values()) this.#rules.link(link)
    for (const link of this.links.values()) this.hearings.update(link)
    this.hearings.join()
    this.#groups.wake(0 as Instant)
    return this.sink.take()
  }
}

t.test('a link is heard while the rules want it, and told again when it changed', async (t) => {
  const scene = new Scene()
  t.same(scene.link(linkOf(ETH2)), [], 'nobody wants it')
  t.same(scene.link(linkOf(ETH0)), ['listen eth0', 'link eth0 up'])
  t.ok(scene.hearings.has(ETH0))
  const same = linkOf(ETH0, { up: false })
  t.same(scene.link(same), ['listen eth0 down', 'link eth0 down'])
  t.same(scene.link(same), [], 'nothing new')
  t.same(scene.link(linkOf(ETH0, { up: false, addresses: [] })), ['listen eth0 down'])
  t.same(scene.link(linkOf(ETH0, { name: 'other' })), ['ignore eth0'], 'renamed')
  t.notOk(scene.hearings.has(ETH0))
  t.equal(scene.hearings.gone(ETH0), false)
})

t.test('the manner counts, too', async (t) => {
  const scene = new Scene(SUBNET, twoLinks())
  t.same(scene.configure(SUBNET.replace('host', 'promiscuous yes\n snooping mirror\n host')),
    ['listen eth0 promiscuous', 'listen eth1 promiscuous reports'])
  t.same(scene.configure(SUBNET.replace('2001:db8::/64', 'auto').replace('host', 'snooping mrd\n host')),
    ['listen eth0 routerSolicitations prefixes', 'listen eth1', `leave eth1 ${PINNED}`, `leave eth1 ${OWN}`])
})

t.test('the groups of pinned hosts are joined where others ask for them', async (t) => {
  const config = SUBNET.replace('host', 'host 2001:db8::2 eth1\n host 2001:db8::3\n host')
  const scene = new Scene(config.replace('eth1', 'eth1 eth2'), [])
  t.same(scene.link(linkOf(ETH0)), ['listen eth0', 'link eth0 up', 'join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3'])
  t.same(scene.link(linkOf(ETH1)), ['listen eth1', 'link eth1 up', `join eth1 ${PINNED}`], 'the router\'s')
  t.same(scene.link(linkOf(ETH2)), ['listen eth2', 'link eth2 up', `join eth2 ${PINNED}`])
  t.same(scene.gone(ETH1), ['ignore eth1'], 'nobody is left to be told')
  t.same(scene.link(linkOf(9, { name: 'eth1' })), ['listen eth1', 'link eth1 up', `join link 9 ${PINNED}`])
})

t.test('the groups of single addresses, listened for by a proxy block', async (t) => {
  const config = 'proxy eth0 { rule 2001:db8::5 { static }\n rule 2001:db8::6 { iface eth1 }\n rule fd00::/64 { static } }'
  const scene = new Scene(config, twoLinks())
  t.same(scene.gone(ETH0), ['ignore eth0'])
  t.same(scene.link(twoLinks()[0]).filter((line) => line.startsWith('join')),
    ['join eth0 ff02::1:ff00:5', 'join eth0 ff02::1:ff00:6'])
})

t.test('addresses of ours are asked for on the other links', async (t) => {
  const scene = new Scene(SUBNET, [linkOf(ETH0), linkOf(ETH1)])
  t.same(scene.link(twoLinks()[0]), ['listen eth0', `join eth1 ${OWN}`], 'not on its own: the kernel is a member there')
  t.same(scene.link(linkOf(LO, { addresses: [own('2001:db8::7', 128)] })), [], 'loopback is no link')
  t.same(scene.link(linkOf(ETH2, { addresses: [own('fe80::9'), own('fd00::9')] })), [], 'no rule holds it')
  t.same(scene.link(linkOf(ETH2, { addresses: [own('2001:db8::9')] })),
    ['join eth0 ff02::1:ff00:9', 'join eth1 ff02::1:ff00:9'])
  t.same(scene.gone(ETH2), ['leave eth0 ff02::1:ff00:9', 'leave eth1 ff02::1:ff00:9'])
  t.same(scene.link(linkOf(ETH0)), ['listen eth0', `leave eth1 ${OWN}`])
})

t.test('one address, wanted for two reasons, is one membership', async (t) => {
  const scene = new Scene(SUBNET, twoLinks())
  t.same(scene.link(linkOf(ETH0, { addresses: [own('2001:db8::1')] })),
    ['listen eth0', `leave eth1 ${OWN}`], 'pinned, and ours now')
  t.same(scene.link(linkOf(ETH0)), ['listen eth0'])
})

t.test('a link that is not heard any more has no memberships, nor any left over when it is heard again', async (t) => {
  const scene = new Scene(SUBNET, twoLinks())
  t.same(scene.configure('proxy eth0 { rule 2001:db8::9 { static } }'),
    ['listen eth0', `leave eth1 ${PINNED}`, `leave eth1 ${OWN}`, 'ignore eth1', 'join eth0 ff02::1:ff00:9'])
  t.same(scene.configure(SUBNET.replace('2001:db8::1', '2001:db8::5')),
    ['listen eth0', 'listen eth1', 'link eth1 up', 'leave eth0 ff02::1:ff00:9', 'join eth1 ff02::1:ff00:5', `join eth1 ${OWN}`])
})

t.test('where a route led is heard, plainly, for as long as a rule follows routes', async (t) => {
  const auto = 'proxy eth0 { promiscuous yes\n rule 2001:db8::/64 { auto } }'
  const scene = new Scene(auto, twoLinks())
  t.notOk(scene.hearings.has(ETH1))
  t.same(scene.link(linkOf(ETH1), true), ['listen eth1', 'link eth1 up'])
  t.same(scene.link(linkOf(ETH1)), ['listen eth1'])
  t.same(scene.configure(auto), [])
  t.same(scene.configure('proxy eth0 { promiscuous yes\n rule 2001:db8::/64 { iface eth2 } }'), ['ignore eth1'])
})

t.test('where routers ask packets come through a ring, on eight links at most', async (t) => {
  const config = Array.from({ length: 10 }, (_, i) => `subnet fd00:${i}::/64 {\n upstream up${i}\n downstream down${i}\n}\n`).join('')
  const scene = new Scene(config)
  const manners = new Map<string, boolean>()
  scene.sink.listen = ({ name }, { ring }) => { manners.set(name, ring) }
  const up = (i: number, state = true): void => { scene.link(linkOf(10 + i, { name: `up${i}`, up: state })) }
  for (let i = 0; i < 10; i++) up(i)
  scene.link(linkOf(30, { name: 'down0' }))
  const ringed = (): string[] => [...manners].filter(([, ring]) => ring).map(([name]) => name)
  t.same(ringed(), Array.from({ length: 8 }, (_, i) => `up${i}`))
  up(0, false)
  t.ok(manners.get('up0'), 'it keeps its own')
  scene.gone(11)
  up(9, false)
  t.same(ringed().slice(-1), ['up9'], 'there is room again')
})
