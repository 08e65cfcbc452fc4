/**
 * The engine under any sequence of frames, link events, reloads, replies and waiting: it never throws, stays bounded,
 * answers only where its rules let it, and forgets everything in the end (design: tests).
 */
import t from 'tap'
import fc from 'fast-check'
import { Address } from '../../src/address.ts'
import { matchesIface } from '../../src/config/config.ts'
import type { Config, Settings } from '../../src/config/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { Advertisement, HostRoute, Instant, Link, RouteChange, UnicastProbe } from '../../src/engine/types.ts'
import { NdiscView } from '../../src/wire/ndisc.ts'
import { ip, na, ns } from '../engine/kit/frames.ts'
import { chance, configOf, linkOf, LO, own, Recorder } from '../engine/kit/stage.ts'

/** The same limits everywhere, so that a reload cannot leave more than it allows. */
const TIMES = 'timeout 100\n retries 2\n ttl 2s\n deadtime 1s\n limit 4\n host-limit 3\n'
const LIMIT = 4
const SILENCE = 2000 + 2 * 4 * 100 + 1000 + 1000

const CONFIGS = [
  `subnet 2001:db8::/64 { ${TIMES} upstream eth0\n downstream eth1\n host 2001:db8::1 eth0\n exclude 2001:db8::7 }`,
  `subnet 2001:db8::/64 { ${TIMES} keepalive no\n source global\n upstream eth0\n downstream eth1 eth2\n host 2001:db8::2 eth1\n
    host 2001:db8::3 }`,
  `proxy eth0 { ${TIMES} override always\n rule 2001:db8::/64 { iface eth1 }\n rule 2001:db8::3 { static } }
   proxy eth1 { ${TIMES} rule 2001:db8::/64 { auto }\n rule 2001:db8::/64 { iface eth2 } }`,
  `proxy eth0 { ${TIMES} autowire yes\n router no\n rule 2001:db8::/120 { iface eth1 eth2 }\n rule ::/0 { static } }
   subnet 2001:db8::/126 { ${TIMES} upstream eth2\n downstream eth1 }`,
].map(configOf)

const ADDRESSES = ['2001:db8::', '2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::4', '2001:db8::5', '2001:db8::6',
  '2001:db8::7', '2001:db8::ff', '2001:db8:1::1', 'fe80::1', 'fe80::2', '2001:db8::fdff:ffff:ffff:ff81']
const MACS = [1, 2, 3, 4].map((n) => `02:00:00:00:00:0${n}`)

const address = fc.constantFrom(...ADDRESSES)
const target = fc.constantFrom(...ADDRESSES, ...ADDRESSES.slice(1, 8), ...ADDRESSES.slice(2, 5))
const from = fc.constantFrom(...MACS)
const ifindex = fc.constantFrom(2, 2, 3, 3, 4, 9)
const present = fc.constantFrom(1, 2, 3, 4)

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: fc.constant('ns' as const), ifindex, target, from,
    source: fc.oneof(address, fc.constant('::')), unicast: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ op: fc.constant('na' as const), ifindex, target, from,
    to: fc.constantFrom('fe80::ff:2', 'fe80::ff:2', 'ff02::1'), flags: fc.constantFrom('SO', 'SO', 'RSO', 'S', 'O', ''),
    source: fc.option(address, { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('noise' as const), ifindex, bytes: fc.uint8Array({ maxLength: 100 }) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('link' as const), ifindex: present, up: fc.boolean(), renamed: fc.nat(4),
    carrier: fc.boolean(), global: fc.option(address, { nil: undefined }), usable: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('gone' as const), ifindex: present }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('config' as const), config: fc.constantFrom(...CONFIGS) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('reply' as const), target, ifindex: fc.option(ifindex, { nil: undefined }),
    local: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('routes' as const), target: fc.option(target, { nil: undefined }), ifindex: present }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 100, 101, 1000, 2500) }) })
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function check(ok: boolean, message: string): void {
  if (!ok) throw new Error(message)
}

/** The settings of the rules that `name` listens to and that hold the target. */
function listening({ proxies, subnets }: Config, name: string, target: Address): Settings[] {
  return [
    ...proxies.flatMap(({ iface, rules, settings }) =>
      iface === name ? rules.filter(({ prefix }) => prefix.contains(target)).map(() => settings) : []),
    ...subnets.filter(({ prefix, upstream, downstream }) =>
      prefix.contains(target) && [upstream, ...downstream].some((pattern) => matchesIface(pattern, name)))
      .map(({ settings }) => settings)]
}

/** A world that objects to whatever the engine may not do. */
class Critic extends Recorder {
  engine!: Engine
  config = CONFIGS[0]
  readonly links = new Map<number, Link>()
  readonly heard = new Set<number>()
  readonly lookups: Address[] = []

  override listen(link: Link): void {
    check(this.links.get(link.ifindex) === link && link.name !== 'lo', 'listens to a link that is there')
    this.heard.add(link.ifindex)
  }

  override ignore(ifindex: number): void { check(this.heard.delete(ifindex), `ignores ${ifindex}, which is heard`) }

  override solicit(_: number, target: Address): void {
    check(!target.isLinkLocal && !target.isUnspecified && !target.isMulticast, `asks for ${target}`)
  }

  override confirm({ ifindex, target, source }: UnicastProbe): void {
    this.solicit(ifindex, target)
    check(this.heard.has(ifindex), `verifies ${target} on link ${ifindex}, where it hears the answer`)
    check(!source.isUnspecified, 'a probe is not shaped like DAD (H5)')
  }

  override advertise({ ifindex, source, d0, d1, d2, d3, t0, t1, t2, t3, to, solicited, override }: Advertisement): void {
    const [target, destination] = [new Address(t0, t1, t2, t3), new Address(d0, d1, d2, d3)]
    const link = this.links.get(ifindex)
    check(link !== undefined && this.heard.has(ifindex), 'answers on a link that is there and heard')
    const rules = listening(this.config, link!.name, target)
    check(rules.length > 0, `answers for ${target} on ${link!.name} by a rule`)
    check(!override || rules.some(({ override }) => override === 'always'), 'O=1 only with `override always`')
    check(!target.isLinkLocal && !target.isMulticast, `answers for ${target}`)
    check(!this.config.subnets.some(({ exclude }) => exclude.some((prefix) => prefix.contains(target))), 'excluded')
    check(!link!.addresses.some(({ address }) => address.equals(target)), 'the kernel answers for its own')
    check(!destination.isUnspecified, 'never to `::`')
    check(solicited === !destination.isMulticast, 'S=1 exactly to unicast destinations')
    check(solicited || (destination.equals(Address.allNodes) && to === 0x333300000001), 'S=0 to all nodes')
    check(!source.isUnspecified && !source.isMulticast, 'a source')
    const isOwn = [...this.links.values()].some(({ addresses }) => addresses.some(({ address }) => address.equals(target)))
    const owner = this.engine.snapshot().neighbors.find((known) => known.target === target.toString())
    check(isOwn || owner?.iface !== link!.name || owner.state === 'FAILED', 'never for an owner on the asker\'s link')
  }

  override lookup(target: Address): void { this.lookups.push(target) }

  override route(change: RouteChange): void {
    const { op, route: { target, ifindex } } = change
    if (op === 'add') {
      check(this.links.get(ifindex)?.up === true, `a route for ${target} on a link that is up`)
      check(!this.config.subnets.some(({ upstream, prefix }) => upstream === this.links.get(ifindex)!.name && prefix.contains(target))
        || this.config.proxies.length > 0, 'no route to the upstream')
    }
    super.route(change)
  }

  /** The kernel's own doing. */
  drop(ifindex: number): void {
    for (const [key, route] of this.routes) if (route.ifindex === ifindex) this.routes.delete(key)
  }
}

class World {
  readonly sink = new Critic()
  readonly engine: Engine
  readonly #view = new NdiscView()
  readonly #slab = new Uint8Array(256)
  now = 0 as Instant

  constructor() {
    this.engine = this.sink.engine = new Engine(CONFIGS[0], chance(1), this.sink)
    for (const ifindex of [2, 3]) this.#link(linkOf(ifindex))
  }

  apply(step: Step): void {
    switch (step.op) {
      case 'ns': this.#frame(step.ifindex, ns({ ...step, ...(step.unicast ? { to: step.target } : {}) })); break
      case 'na': this.#frame(step.ifindex, na({ ...step, source: step.source ?? step.target })); break
      case 'noise': this.#frame(step.ifindex, step.bytes); break
      case 'link': {
        const { ifindex, up, renamed, carrier, global, usable } = step
        const addresses = [own(`fe80::ff:${ifindex}`, 64, usable === 0), ...(global === undefined ? [] : [own(global)])]
        if (!up && !carrier) this.sink.drop(ifindex)
        this.#link(linkOf(ifindex, { up, addresses, ...(renamed === 0 && ifindex !== LO ? { name: `tap${ifindex}` } : {}) }))
        break
      }
      case 'gone':
        this.sink.links.delete(step.ifindex)
        this.sink.drop(step.ifindex)
        this.engine.handle({ kind: 'link-gone', ifindex: step.ifindex }, this.now)
        break
      case 'config':
        this.sink.config = step.config
        this.engine.handle({ kind: 'config', config: step.config }, this.now)
        break
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
    const { neighbors } = this.engine.snapshot()
    const learned = neighbors.filter(({ state, pinned }) => !pinned && (state === 'REACHABLE' || state === 'PROBE'))
    check(learned.length <= LIMIT, `${learned.length} learned owners`)
    check(neighbors.length <= ADDRESSES.length, 'one entry for one address')
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

  #reply(target: Address, ifindex: number | undefined, local: boolean): void {
    this.engine.handle({ kind: 'route', target, ifindex, local }, this.now)
  }

  #link(link: Link): void {
    this.sink.links.set(link.ifindex, link)
    this.engine.handle({ kind: 'link', link }, this.now)
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

t.test('any sequence: within the rules, and after silence nothing is left', { timeout: 60_000 }, async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
    const world = new World()
    for (const step of steps) world.apply(step)
    world.wait(SILENCE)
    const left = world.engine.snapshot().neighbors
    check(left.every(({ pinned }) => pinned), `expired: ${JSON.stringify(left)}`)
    check(world.engine.deadline === undefined, 'nothing to wait for')
    world.compare()
    check([...world.sink.routes.keys()].every((target) => left.some((known) => known.target === target && known.pinned)),
      'no route but those of pinned hosts')
  }), { numRuns: 1500 })
})
