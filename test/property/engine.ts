/**
 * The engine under any sequence of frames, link events, reloads, replies, words of the kernel and waiting: it never throws,
 * stays bounded, answers and announces only where its rules let it, and forgets everything in the end (design: tests).
 */
import t from 'tap'
import fc from 'fast-check'
import { Address, Prefix } from '../../src/address.ts'
import { matchesIface } from '../../src/config/config.ts'
import type { Config, Settings } from '../../src/config/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import type {
  Advertisement, HostRoute, Input, Instant, Link, SavedHost, RouteChange, UnicastProbe,
} from '../../src/engine/types.ts'
import type { MulticastMessage } from '../../src/wire/mld.ts'
import { NdiscView } from '../../src/wire/ndisc.ts'
import { ip, mac, na, ns, prefix } from '../engine/kit/frames.ts'
import { chance, configOf, linkOf, LO, own, Recorder } from '../engine/kit/stage.ts'

/** The same limits everywhere, so that a reload cannot leave more than it allows. */
const TIMES = 'timeout 100\n retries 2\n ttl 2s\n deadtime 1s\n limit 4\n host-limit 3\n'
const LIMIT = 4
/** Enough for all that is learned to expire, but for what is known of routers. */
const SILENCE = 2000 + 2 * 4 * 100 + 1000 + 1000
/** What is known of routers. */
const HOUR = 3_600_000
/** Mirrored groups, announcements, deafness. */
const QUARTER = 900_000

const CONFIGS = [
  `subnet 2001:db8::/64 { ${TIMES} upstream eth0\n downstream eth1\n host 2001:db8::1 eth0\n exclude 2001:db8::7 }`,
  `subnet 2001:db8::/64 { ${TIMES} keepalive no\n source global\n upstream eth0\n downstream eth1 eth2\n host 2001:db8::2 eth1\n
    host 2001:db8::3 }`,
  `proxy eth0 { ${TIMES} override always\n rule 2001:db8::/64 { iface eth1 }\n rule 2001:db8::3 { static } }
   proxy eth1 { ${TIMES} rule 2001:db8::/64 { auto }\n rule 2001:db8::/64 { iface eth2 } }`,
  `proxy eth0 { ${TIMES} autowire yes\n router no\n rule 2001:db8::/120 { iface eth1 eth2 }\n rule ::/0 { static } }
   subnet 2001:db8::/126 { ${TIMES} upstream eth2\n downstream eth1 }`,
  `subnet auto { ${TIMES} announce solicit\n upstream eth0\n downstream eth1 tap*\n host 2001:db8::2 eth1
    host 2001:db8:1::1 eth0 }`,
  `subnet 2001:db8::/64 { ${TIMES} snooping mirror\n override never\n upstream eth0\n downstream eth1 eth2 }`,
  `subnet auto { ${TIMES} snooping mrd\n override always\n upstream eth1\n downstream eth0 eth2 }`,
].map(configOf)

const ADDRESSES = ['2001:db8::', '2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::4', '2001:db8::5', '2001:db8::6',
  '2001:db8::7', '2001:db8::ff', '2001:db8:1::1', 'fe80::1', 'fe80::2', '2001:db8::fdff:ffff:ffff:ff81']
const MACS = [1, 2, 3, 4].map((n) => `02:00:00:00:00:0${n}`)
const PREFIXES = ['2001:db8::/64', '2001:db8:1::/64']

const address = fc.constantFrom(...ADDRESSES)
const target = fc.constantFrom(...ADDRESSES, ...ADDRESSES.slice(1, 8), ...ADDRESSES.slice(2, 5))
const from = fc.constantFrom(...MACS)
const lladdr = fc.option(from.map(mac), { nil: undefined })
const ifindex = fc.constantFrom(2, 2, 3, 3, 4, 9)
const present = fc.constantFrom(1, 2, 3, 4)
const groups = fc.array(target.map((text) => ip(text).solicitedNode), { maxLength: 3 })

function as<K extends string>(kind: K): fc.Arbitrary<K> { return fc.constant(kind) }

const kernelNeighbor = fc.record({ target: target.map(ip), ifindex, mac: lladdr, router: fc.boolean(),
  state: fc.constantFrom('reachable' as const, 'known' as const, 'failed' as const) })
const remembered = fc.record<SavedHost>({ target: target.map(ip), mac: lladdr, router: fc.boolean(),
  iface: fc.constantFrom('eth0', 'eth1', 'eth2', 'tap3') })

/** What the engine is told as it is. */
const told: fc.Arbitrary<Input> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: as('neighbor'), neighbor: kernelNeighbor }) },
  { weight: 3, arbitrary: fc.record({ kind: as('station'), ifindex, mac: from.map(mac), present: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: as('echo'), ifindex, source: target.map(ip), mac: lladdr }) },
  { weight: 2, arbitrary: fc.record({ kind: as('local-solicitation'), ifindex, target: target.map(ip) }) },
  { weight: 2, arbitrary: fc.record({ kind: as('report'), ifindex, joined: groups, left: groups }) },
  { weight: 1, arbitrary: fc.record({ kind: as('query'), ifindex, query: fc.record({ kind: as('query'),
    version: fc.constantFrom(1 as const, 2 as const), source: fc.constantFrom('fe80::1', 'fe80::f:1').map(ip), toAll: fc.boolean(),
    groups: fc.option(groups, { nil: undefined }), delay: fc.constantFrom(0, 1000, 10_000) }) }) },
  { weight: 1, arbitrary: fc.record({ kind: as('router-solicitation'), ifindex }) },
  { weight: 1, arbitrary: fc.record({ kind: as('memory'), hosts: fc.array(remembered, { maxLength: 4 }) }) })

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: as('ns'), ifindex, target, from,
    source: fc.oneof(address, fc.constant('::')), unicast: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ op: as('na'), ifindex, target, from,
    to: fc.constantFrom('fe80::ff:2', 'fe80::ff:2', 'ff02::1'), flags: fc.constantFrom('SO', 'SO', 'RSO', 'S', 'O', ''),
    source: fc.option(address, { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ op: as('noise'), ifindex, bytes: fc.uint8Array({ maxLength: 100 }) }) },
  { weight: 8, arbitrary: fc.record({ op: as('told'), input: told }) },
  { weight: 2, arbitrary: fc.record({ op: as('link'), ifindex: present, up: fc.boolean(), renamed: fc.nat(4),
    carrier: fc.boolean(), global: fc.option(address, { nil: undefined }), usable: fc.nat(4), mac: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ op: as('gone'), ifindex: present }) },
  { weight: 1, arbitrary: fc.record({ op: as('config'), config: fc.constantFrom(...CONFIGS) }) },
  { weight: 2, arbitrary: fc.record({ op: as('prefixes'), ifindex: present, prefixes: fc.subarray(PREFIXES) }) },
  { weight: 1, arbitrary: fc.record({ op: as('reply'), target, ifindex: fc.option(ifindex, { nil: undefined }),
    local: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: as('routes'), target: fc.option(target, { nil: undefined }), ifindex: present }) },
  { weight: 5, arbitrary: fc.record({ op: as('wait'), ms: fc.constantFrom(1, 50, 100, 101, 1000, 2500) }) })
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function check(ok: boolean, message: string): void {
  if (!ok) throw new Error(message)
}

/** A world that objects to whatever the engine may not do. */
class Critic extends Recorder {
  engine!: Engine
  config!: Config
  /** There may be announcements under way that look like a defence. */
  #wasNever = false
  /** Addresses that are this machine's, or were. */
  readonly #ours = new Set<string>()
  /** The last discovery: its link and its source. */
  #inquiry = ''
  readonly links = new Map<number, Link>()
  /** On-link prefixes, by the name of the link. */
  readonly onLink = new Map<string, readonly Prefix[]>()
  /** The groups of each link that is heard. */
  readonly heard = new Set<number>()
  readonly lookups: Address[] = []

  have(link: Link): void {
    this.links.set(link.ifindex, link)
    for (const { address } of link.addresses) this.#ours.add(address.toString())
  }

  configure(config: Config): void {
    this.config = config
    this.#wasNever ||= config.subnets.some(({ settings: { override } }) => override === 'never')
  }

  override listen(link: Link): void {
    check(this.links.get(link.ifindex) === link && link.name !== 'lo', 'listens to a link that is there')
    this.heard.add(link.ifindex)
  }

  override ignore(ifindex: number): void { check(this.heard.delete(ifindex), `ignores ${ifindex}, which is heard`) }

  /** On a link that went meanwhile, too: there nothing becomes of it. */
  override solicit(_: number, target: Address): void {
    check(!target.isLinkLocal && !target.isUnspecified && !target.isMulticast, `asks for ${target}`)
  }

  override confirm({ ifindex, target, destination, source }: UnicastProbe): void {
    check(!source.isUnspecified, 'a probe is not shaped like DAD (H5)')
    if (destination.equals(target)) {
      this.solicit(ifindex, target)
      check(this.heard.has(ifindex), `verifies ${target} on link ${ifindex}, where it hears the answer`)
    } else {
      check(destination.equals(target.solicitedNode) && this.heard.has(ifindex), 'an announcement by solicitation')
      check(this.#owner(source) !== undefined, `announces ${source}, which somebody owns`)
    }
  }

  override advertise({ ifindex, source, d0, d1, d2, d3, t0, t1, t2, t3, to, solicited, override }: Advertisement): void {
    const [target, destination] = [new Address(t0, t1, t2, t3), new Address(d0, d1, d2, d3)]
    const isTold = !solicited && (override || this.#wasNever || destination.w3 === 2)
    // On a link that went meanwhile nothing becomes of an announcement.
    if (isTold && !this.heard.has(ifindex)) return
    const link = this.links.get(ifindex)
    check(link !== undefined && this.heard.has(ifindex), 'answers on a link that is there and heard')
    // The hosts that are asked to show themselves are told who asks.
    if (!solicited && !override && destination.w3 === 1 && this.#inquiry === `${ifindex} ${target}`) return
    const rules = this.#listening(link!.name, target)
    const isOwnHere = link!.addresses.some(({ address }) => address.equals(target))
    const owner = this.#owner(target)
    check(!destination.isUnspecified && !source.isUnspecified && !source.isMulticast && !target.isMulticast, 'addresses')
    check(solicited === !destination.isMulticast, 'S=1 exactly to unicast destinations')
    check(solicited || (destination.w0 === (0xff020000 | 0) && to === 0x333300000000 + destination.w3), 'S=0 to a group')
    check(!this.config.subnets.some(({ exclude }) => exclude.some((prefix) => prefix.contains(target))), 'excluded')
    // Hosts that moved here are told of all that is ours, or was a moment ago.
    if (isTold && this.#ours.has(target.toString())) return
    check(rules.length > 0 && !target.isLinkLocal, `answers for ${target} on ${link!.name} by a rule`)
    check(!isOwnHere, 'the kernel answers for its own')
    check(owner?.iface !== link!.name, 'never for an owner on the asker\'s link')
    check(!isTold || owner !== undefined, `announces ${target}, which somebody owns`)
    check(!override || isTold || rules.some(({ override }) => override === 'always'), 'O=1 in answers only with `override always`')
  }

  override lookup(target: Address): void { this.lookups.push(target) }

  override route(change: RouteChange): void {
    const { op, route: { target, ifindex } } = change
    if (op === 'add') {
      check(this.links.get(ifindex)?.up === true, `a route for ${target} on a link that is up`)
      check(!this.config.subnets.some((subnet) => subnet.upstream === this.links.get(ifindex)!.name
        && this.prefixesOf(subnet).some((prefix) => prefix.contains(target))) || this.config.proxies.length > 0,
        'no route to the upstream')
    }
    super.route(change)
  }

  override discover(ifindex: number, sources: readonly Address[]): void {
    check(this.heard.has(ifindex) && this.links.get(ifindex)!.up, 'discovers on a link that is heard and up')
    const usable = [...this.links.values()].flatMap(({ addresses }) => addresses).filter(({ tentative }) => !tentative)
    check(sources.length > 0 && sources.every((source) => usable.some(({ address }) => address.equals(source))),
      'from its own addresses')
    this.#inquiry = `${ifindex} ${sources[0]}`
  }

  override multicast(ifindex: number, message: MulticastMessage): void {
    const { kind, source } = message
    check(this.heard.has(ifindex) && this.links.get(ifindex)!.up, 'speaks of multicast on a link that is heard and up')
    check(source.isLinkLocal || (source.isUnspecified && ['change', 'state', 'report', 'done'].includes(kind)), `${kind} from ${source}`)
    if (kind === 'change') check(message.joined.length + message.left.length > 0, 'no empty report')
    if (kind === 'state') check(message.groups.length > 0, 'no empty answer')
  }

  /** The kernel's own doing. */
  drop(ifindex: number): void {
    for (const [key, route] of this.routes) if (route.ifindex === ifindex) this.routes.delete(key)
  }

  prefixesOf({ prefix, upstream }: Config['subnets'][number]): readonly Prefix[] {
    return prefix === 'auto' ? this.onLink.get(upstream) ?? [] : [prefix]
  }

  /** The settings of the rules that `name` listens to and that hold the target. */
  #listening(name: string, target: Address): Settings[] {
    const { proxies, subnets } = this.config
    return [
      ...proxies.flatMap(({ iface, rules, settings }) =>
        iface === name ? rules.filter(({ prefix }) => prefix.contains(target)).map(() => settings) : []),
      ...subnets.filter((subnet) => this.prefixesOf(subnet).some((prefix) => prefix.contains(target))
        && [subnet.upstream, ...subnet.downstream].some((pattern) => matchesIface(pattern, name)))
        .map(({ settings }) => settings)]
  }

  #owner(target: Address): { iface: string | undefined } | undefined {
    return this.engine.snapshot().neighbors.find((known) => known.target === target.toString()
      && (known.state === 'REACHABLE' || known.state === 'PROBE'))
  }
}

class World {
  readonly sink = new Critic()
  readonly engine: Engine
  readonly #view = new NdiscView()
  readonly #slab = new Uint8Array(256)
  #remembered = '[]'
  #revision = 0
  now = 0 as Instant

  constructor(config: Config, links: Iterable<Link>) {
    this.sink.configure(config)
    this.engine = this.sink.engine = new Engine(config, chance(1), this.sink)
    for (const link of links) this.link(link)
  }

  apply(step: Step): void {
    switch (step.op) {
      case 'ns': this.#frame(step.ifindex, ns({ ...step, ...(step.unicast ? { to: step.target } : {}) })); break
      case 'na': this.#frame(step.ifindex, na({ ...step, source: step.source ?? step.target })); break
      case 'noise': this.#frame(step.ifindex, step.bytes); break
      case 'told': this.engine.handle(step.input, this.now); break
      case 'link': {
        const { ifindex, up, renamed, carrier, global, usable } = step
        const addresses = [own(`fe80::ff:${ifindex}`, 64, usable === 0), ...(global === undefined ? [] : [own(global)])]
        if (!up && !carrier) this.sink.drop(ifindex)
        this.link(linkOf(ifindex, { up, addresses, ...(renamed === 0 && ifindex !== LO ? { name: `tap${ifindex}` } : {}),
          ...(step.mac === 0 ? { mac: mac('02:00:00:00:fe:00') } : {}) }))
        break
      }
      case 'gone': {
        const link = this.sink.links.get(step.ifindex)
        this.sink.links.delete(step.ifindex)
        if (link !== undefined) this.sink.onLink.delete(link.name)
        this.sink.drop(step.ifindex)
        this.engine.handle({ kind: 'link-gone', ifindex: step.ifindex }, this.now)
        break
      }
      case 'config':
        this.sink.configure(step.config)
        this.engine.handle({ kind: 'config', config: step.config }, this.now)
        break
      case 'prefixes': {
        const link = this.sink.links.get(step.ifindex)
        if (link !== undefined) this.prefixes(link, step.prefixes.map(prefix))
        break
      }
      case 'reply': this.#reply(ip(step.target), step.ifindex, step.local); break
      case 'routes': {
        // One that somebody else has put there with our mark.
        if (step.target !== undefined && this.sink.links.has(step.ifindex)) {
          this.sink.routes.set(step.target, { target: ip(step.target), ifindex: step.ifindex })
        }
        this.compare()
        break
      }
      case 'wait': this.wait(step.ms); break
    }
    // The kernel answers in the same turn.
    for (let target = this.sink.lookups.shift(); target !== undefined; target = this.sink.lookups.shift()) {
      this.#reply(target, [2, 3, 4, undefined][target.w3 & 3], false)
    }
    this.#look()
  }

  prefixes({ name, ifindex }: Link, prefixes: readonly Prefix[]): void {
    this.sink.onLink.set(name, prefixes)
    this.engine.handle({ kind: 'prefixes', ifindex, prefixes }, this.now)
  }

  compare(): void {
    const present: HostRoute[] = [...this.sink.routes.values()]
    this.engine.handle({ kind: 'routes', present }, this.now)
    const routed = this.engine.snapshot().neighbors.filter(({ routed }) => routed).map(({ target }) => target)
    check(routed.join() === [...this.sink.routes.values()].map(({ target }) => target).sort((a, b) => a.compare(b)).join(),
      'the kernel has what is desired')
  }

  wait(ms: number): void {
    const until = this.now + ms
    let wakes = 0
    for (let next = this.engine.deadline; next !== undefined && next <= until; next = this.engine.deadline) {
      check(++wakes < 10_000, 'the engine settles')
      this.now = Math.max(this.now, next) as Instant
      this.engine.wake(this.now)
      for (let target = this.sink.lookups.shift(); target !== undefined; target = this.sink.lookups.shift()) {
        this.#reply(target, undefined, false)
      }
    }
    this.now = until as Instant
  }

  link(link: Link): void {
    const before = this.sink.links.get(link.ifindex)
    if (before !== undefined && before.name !== link.name) this.sink.onLink.delete(before.name)
    this.sink.have(link)
    this.engine.handle({ kind: 'link', link }, this.now)
  }

  /** All that there is once everything learned is forgotten, but for the lladdr that a host of the file had: that may be known. */
  get rest(): string {
    const { heard, routes, members } = this.sink
    const neighbors = this.engine.snapshot().neighbors.map(({ lladdr, ...neighbor }) => neighbor)
    const groups = [...heard].filter((ifindex) => (members.get(ifindex)?.size ?? 0) > 0)
      .map((ifindex) => `${ifindex}: ${[...members.get(ifindex)!].sort()}`)
    return JSON.stringify({ groups: groups.sort(), routes: [...routes.keys()].sort(), neighbors }, null, 1)
  }

  /** What holds after every step. */
  #look(): void {
    const { neighbors } = this.engine.snapshot()
    const learned = neighbors.filter(({ state, pinned }) => !pinned && (state === 'REACHABLE' || state === 'PROBE'))
    check(learned.length <= LIMIT, `${learned.length} learned owners`)
    check(neighbors.length <= ADDRESSES.length, 'one entry for one address')
    const hosts = this.sink.config.subnets.flatMap(({ hosts }) => hosts)
    check(neighbors.every(({ target, pinned, iface }) => !pinned || iface === undefined
      || hosts.some((host) => host.address.toString() === target && (host.iface ?? iface) === iface)), 'a pinned host stays')
    const { revision } = this.engine
    const memory = [...this.engine.memory]
    const remembered = JSON.stringify(memory.sort((a, b) => a.target.compare(b.target)))
    check(memory.every(({ target }) => learned.some((known) => known.target === target.toString())),
      'learned owners are remembered')
    check(remembered === this.#remembered || revision > this.#revision, 'a change of what is remembered shows')
    this.#remembered = remembered
    this.#revision = revision
  }

  #reply(target: Address, ifindex: number | undefined, local: boolean): void {
    this.engine.handle({ kind: 'route', target, ifindex, local }, this.now)
  }

  #frame(ifindex: number, frame: Uint8Array): void {
    if (this.sink.links.has(ifindex) && !this.sink.heard.has(ifindex)) return
    this.#slab.set(frame)
    const drop = this.#view.decode(this.#slab, 0, frame.length, 14, false)
    this.engine.packet(ifindex, this.#view, drop, this.now)
    this.#slab.fill(0xde)
    this.#view.poison()
  }
}

t.test('any sequence: within the rules, and after silence all is as if just begun', { timeout: 600_000 }, async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
    const world = new World(CONFIGS[0], [linkOf(2), linkOf(3)])
    for (const step of steps) world.apply(step)
    world.wait(SILENCE)
    const left = world.engine.snapshot().neighbors.filter(({ pinned }) => !pinned)
    check(left.every(({ state }) => state === 'FAILED'), `expired: ${JSON.stringify(left)}`)
    if (left.length > 0) world.wait(HOUR)
    world.wait(QUARTER)
    world.compare()

    const { config, links, onLink } = world.sink
    // These are spoken for ever.
    const isTalking = config.subnets.some(({ settings: { snooping } }) => snooping !== 'no')
    check(isTalking || world.engine.deadline === undefined, 'nothing to wait for')
    const fresh = new World(config, links.values())
    for (const link of links.values()) fresh.prefixes(link, onLink.get(link.name) ?? [])
    fresh.apply({ op: 'config', config })
    check(world.rest === fresh.rest, `${world.rest}\n instead of\n ${fresh.rest}`)
  }), { numRuns: Number(process.env['RUNS'] ?? 1500) })
})
