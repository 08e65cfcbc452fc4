/** Links to listen on, subscription options, and groups that do not depend on known hosts. */
import t from 'tap'
import { Groups } from '../../../src/engine/listening/groups.ts'
import { LINK_LIMIT, Subscriptions } from '../../../src/engine/listening/subscriptions.ts'
import { Links } from '../../../src/engine/links/links.ts'
import type { Context } from '../../../src/engine/rules/context.ts'
import { Rules } from '../../../src/engine/rules/rules.ts'
import type { Instant, Link } from '../../../src/engine-types.ts'
import { chance, configOf, ETH0, ETH1, ETH2, linkOf, LO, own, PartsRecorder, SUBNET, twoLinks } from '../kit/stage.ts'

const PINNED = 'ff02::1:ff00:1'
const OWN = 'ff02::1:ff00:ff'

class Scene {
  readonly recorder = new PartsRecorder()
  readonly links = new Links(chance(1))
  readonly subscriptions: Subscriptions
  readonly #context: Context
  readonly #groups: Groups

  constructor(config = SUBNET, present: readonly Link[] = []) {
    this.#context = { links: this.links, effects: this.recorder.effects, random: chance(1), rules: new Rules(configOf(config), chance(1)) }
    const groups = this.#groups = new Groups(this.#context)
    this.subscriptions = new Subscriptions(Object.assign(this.#context, { groups }))
    for (const link of present) this.link(link)
  }

  link(link: Link, byRoute = false): string[] {
    this.links.set(link)
    this.#context.rules.link(link)
    this.subscriptions.update(link, byRoute)
    return this.#finish()
  }

  gone(ifindex: number): string[] {
    this.links.delete(ifindex)
    this.#context.rules.gone(ifindex)
    this.subscriptions.gone(ifindex)
    return this.#finish()
  }

  configure(config: string): string[] {
    this.#context.rules = new Rules(configOf(config), chance(1))
    for (const link of this.links.values()) this.#context.rules.link(link)
    for (const link of this.links.values()) this.subscriptions.update(link)
    return this.#finish()
  }

  #finish(): string[] {
    this.subscriptions.join()
    this.#groups.wake(0 as Instant)
    return this.recorder.take()
  }
}

t.test('changed options change the subscription', async (t) => {
  const scene = new Scene(SUBNET, twoLinks())
  t.same(scene.configure(SUBNET.replace('host', 'promiscuous yes\n snooping mirror\n host')),
    ['listen eth0 promiscuous', 'listen eth1 promiscuous reports'])
  t.same(scene.configure(SUBNET.replace('2001:db8::/64', 'auto').replace('host', 'snooping mrd\n host')),
    ['listen eth0 routerSolicitations prefixes', 'listen eth1', `leave eth1 ${PINNED}`, `leave eth1 ${OWN}`])
})

t.test('the groups of pinned hosts are joined on the links where they are solicited', async (t) => {
  const config = SUBNET.replace('host', 'host 2001:db8::2 eth1\n host 2001:db8::3\n host')
  const scene = new Scene(config.replace('eth1', 'eth1 eth2'), [])
  t.same(scene.link(linkOf(ETH0)), ['listen eth0', 'join eth0 ff02::1:ff00:2', 'join eth0 ff02::1:ff00:3', 'link eth0 up'])
  t.same(scene.link(linkOf(ETH1)), ['listen eth1', `join eth1 ${PINNED}`, 'link eth1 up'], 'the router\'s')
  t.same(scene.link(linkOf(ETH2)), ['listen eth2', `join eth2 ${PINNED}`, 'link eth2 up'])
  t.same(scene.gone(ETH1), ['ignore eth1'], 'no report can be sent')
  t.same(scene.link(linkOf(9, { name: 'eth1' })), ['listen eth1', `join link 9 ${PINNED}`, 'link eth1 up'])
})

t.test('the groups of /128 rules are joined on the link of their proxy block', async (t) => {
  const config = 'proxy eth0 { rule 2001:db8::5 { static }\n rule 2001:db8::6 { iface eth1 }\n rule fd00::/64 { static } }'
  const scene = new Scene(config, twoLinks())
  t.same(scene.gone(ETH0), ['ignore eth0'])
  t.same(scene.link(twoLinks()[0]).filter((line) => line.startsWith('join')), ['join eth0 ff02::1:ff00:5', 'join eth0 ff02::1:ff00:6'])
})

t.test('the groups of own addresses are joined on the other links', async (t) => {
  const scene = new Scene(SUBNET, [linkOf(ETH0), linkOf(ETH1)])
  t.same(scene.link(twoLinks()[0]), ['listen eth0', `join eth1 ${OWN}`], 'not on its own link, where the kernel is a member')
  t.same(scene.link(linkOf(LO, { addresses: [own('2001:db8::7', 128)] })), [], 'no group for loopback')
  t.same(scene.link(linkOf(ETH2, { addresses: [own('fe80::9'), own('fd00::9')] })), [], 'no rule covers it')
  t.same(scene.link(linkOf(ETH2, { addresses: [own('2001:db8::9')] })), ['join eth0 ff02::1:ff00:9', 'join eth1 ff02::1:ff00:9'])
  t.same(scene.gone(ETH2), ['leave eth0 ff02::1:ff00:9', 'leave eth1 ff02::1:ff00:9'])
  t.same(scene.link(linkOf(ETH0)), ['listen eth0', `leave eth1 ${OWN}`])
})

t.test('an address with two reasons for its group is one membership', async (t) => {
  const scene = new Scene(SUBNET, twoLinks())
  t.same(scene.link(linkOf(ETH0, { addresses: [own('2001:db8::1')] })),
    ['listen eth0', `leave eth1 ${OWN}`], 'pinned, and now an own address as well')
  t.same(scene.link(linkOf(ETH0)), ['listen eth0'])
})

t.test('a link where a route led is listened to, without options, while a rule follows routes', async (t) => {
  const auto = 'proxy eth0 { promiscuous yes\n rule 2001:db8::/64 { auto } }'
  const scene = new Scene(auto, twoLinks())
  t.notOk(scene.subscriptions.has(ETH1))
  t.same(scene.link(linkOf(ETH1), true), ['listen eth1', 'link eth1 up'])
  t.same(scene.link(linkOf(ETH1)), ['listen eth1'])
  t.same(scene.configure(auto), [])
  t.same(scene.configure('proxy eth0 { promiscuous yes\n rule 2001:db8::/64 { iface eth2 } }'), ['ignore eth1'])
})

t.test('links where routers solicit have a ring, at most eight of them', async (t) => {
  const config = Array.from({ length: 10 }, (_, i) => `subnet fd00:${i}::/64 {\n upstream up${i}\n downstream down${i}\n}\n`).join('')
  const scene = new Scene(config)
  const { recorder: { subscriptions } } = scene
  const up = (i: number, state = true): void => { scene.link(linkOf(10 + i, { name: `up${i}`, up: state })) }
  for (let i = 0; i < 10; i++) up(i)
  scene.link(linkOf(30, { name: 'down0' }))
  const ringed = (): string[] => [...subscriptions].filter(([, { ring }]) => ring).map(([name]) => name)
  t.same(ringed(), Array.from({ length: 8 }, (_, i) => `up${i}`))
  up(0, false)
  t.ok(subscriptions.get('up0')?.ring, 'a link keeps its ring')
  scene.gone(11)
  up(9, false)
  t.same(ringed().slice(-1), ['up9'], 'a freed ring is used again')
})

t.test('at most so many links: the event names the row of status', async (t) => {
  const { recorder, subscriptions } = new Scene()
  for (let i = 0; i <= LINK_LIMIT; i++) subscriptions.update({ ...linkOf(ETH0), ifindex: 10 + i, name: `vlan${i}` }, true)
  t.match(recorder.effects.events.at(-1), { kind: 'limit', limit: 'links', size: LINK_LIMIT, ifindex: 10 + LINK_LIMIT })
  t.same(subscriptions.limits, [{ name: 'links to receive from', used: LINK_LIMIT, size: LINK_LIMIT }])
  t.notOk(subscriptions.has(10 + LINK_LIMIT))
})
