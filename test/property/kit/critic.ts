/** Checks every effect of an engine against its configuration and its links. */
import { Address, isHostMac, type Prefix } from '../../../src/address.ts'
import { type Config, matchesIface, type Settings } from '../../../src/config/config.ts'
import type { Engine } from '../../../src/engine.ts'
import type {
  Advertisement, Discovery, Effects, Link, Lookup, Multicast, PathLookup, Probe, RouteChange, RoutingDecision,
} from '../../../src/engine-types.ts'
import { Recorder } from '../../engine/kit/recorder.ts'
import { NEXT_HOPS } from './steps.ts'

export function check(ok: boolean, message: string): void {
  if (!ok) throw new Error(message)
}

/** Throws when an effect breaks the rules. */
export class Critic extends Recorder {
  engine!: Engine
  config!: Config
  /** There may be announcements under way that look like a defence. */
  #wasNever = false
  /** Addresses that are this machine's, or were. */
  readonly #ours = new Set<string>()
  /** Link and source of each discovery of this step. */
  readonly #discovering = new Set<string>()
  readonly links = new Map<number, Link>()
  /** On-link prefixes, by the name of the link. */
  readonly onLink = new Map<string, readonly Prefix[]>()
  /** Links that the engine listens on. */
  readonly listening = new Set<number>()
  readonly lookups: Lookup[] = []
  readonly paths: PathLookup[] = []
  /** The last reply about each owner. */
  readonly decisions = new Map<string, readonly RoutingDecision[]>()
  /** Changes that are not in the kernel yet. */
  readonly pending: RouteChange[] = []

  override record(effects: Effects): void {
    const { listening, routes, answers, probes, multicasts, discoveries, lookups, paths, outcomes } = effects
    for (const [, entry] of listening) if (entry !== undefined) this.listens(entry.link)
    for (const change of routes) this.route(change)
    this.#discovering.clear()
    for (const discovery of discoveries) this.discover(discovery)
    for (const message of answers) this.advertise(message)
    for (const probe of probes) this.probe(probe)
    for (const message of multicasts) this.multicast(message)
    for (const [ifindex, entry] of listening) if (entry === undefined) this.ignore(ifindex)
    for (const { outcome } of outcomes) this.outcomes.push(outcome)
    this.lookups.push(...lookups)
    this.paths.push(...paths)
  }

  have(link: Link): void {
    this.links.set(link.ifindex, link)
    for (const { address } of link.addresses) this.#ours.add(address.toString())
  }

  configure(config: Config): void {
    this.config = config
    this.#wasNever ||= config.subnets.some(({ settings: { override } }) => override === 'never')
  }

  listens(link: Link): void {
    check(this.links.get(link.ifindex) === link && link.name !== 'lo', 'listens to a link that is there')
    this.listening.add(link.ifindex)
  }

  override ignore(ifindex: number): void { check(this.listening.delete(ifindex), `stops listening on ${ifindex}`) }

  override probe({ ifindex, target, destination, source, to }: Probe): void {
    check(!target.isUnspecified && !target.isMulticast, `solicits for ${target}`)
    const isUsable = !target.isLinkLocal || NEXT_HOPS.includes(target.toString())
    check(!source.isUnspecified, 'a probe is not shaped like DAD')
    // Shaped like a claim, also if the claimed address is one of this machine.
    const isClaim = target.isLinkLocal && isHostMac(to) && source.w2 === target.w2 && source.w3 === target.w3
    // On a link that is gone meanwhile the probe has no effect.
    if (destination.equals(target.solicitedNode) && !isClaim && this.#isSource(ifindex, source)) return check(isUsable, `solicits for ${target}`)
    if (destination.equals(target)) {
      check(isUsable && this.listening.has(ifindex), `verifies ${target} on link ${ifindex}, where the answer is received`)
    } else {
      check(destination.equals(target.solicitedNode) && this.listening.has(ifindex), 'an announcement by solicitation, or a test of a proxy')
      const isOwn = [...this.links.values()].some(({ addresses }) => addresses.some(({ address }) => address.equals(source)))
      check(isOwn || this.#owner(source) !== undefined, `announces ${source}, which has an owner`)
    }
  }

  override advertise({ ifindex, source, d0, d1, d2, d3, t0, t1, t2, t3, to, solicited, override }: Advertisement): void {
    const [target, destination] = [new Address(t0, t1, t2, t3), new Address(d0, d1, d2, d3)]
    const isAnnouncement = !solicited && (override || this.#wasNever || destination.w3 === 2)
    // On a link that went meanwhile nothing becomes of an announcement.
    if (isAnnouncement && !this.listening.has(ifindex)) return
    const link = this.links.get(ifindex)
    check(link !== undefined && this.listening.has(ifindex), 'answers on a link that exists and is listened on')
    // A discovery advertises its source.
    if (!solicited && !override && destination.w3 === 1 && this.#discovering.has(`${ifindex} ${target}`)) return
    const rules = this.#listening(link!.name, target)
    const isOwnHere = link!.addresses.some(({ address }) => address.equals(target))
    const owner = this.#owner(target)
    check(!destination.isUnspecified && !source.isUnspecified && !source.isMulticast && !target.isMulticast, 'addresses')
    // Packets for an address of this machine need no host route.
    const isOwn = [...this.links.values()].some(({ addresses }) => addresses.some(({ address }) => address.equals(target)))
    check(!solicited || isOwn || !this.pending.some(({ op, route }) => op === 'add' && route.target.equals(target)
      && this.routes.get(target.toString()) === route), 'the route before the answer')
    check(solicited === !destination.isMulticast, 'S=1 exactly to unicast destinations')
    check(solicited || (destination.w0 === (0xff020000 | 0) && to === 0x333300000000 + destination.w3), 'S=0 to a group')
    check(!this.config.subnets.some(({ exclude }) => exclude.some((prefix) => prefix.contains(target))), 'excluded')
    // Hosts that moved here get all our addresses, and those that were ours a moment ago.
    if (isAnnouncement && this.#ours.has(target.toString())) return
    check(rules.length > 0 && !target.isLinkLocal, `answers for ${target} on ${link!.name} by a rule`)
    check(!isOwnHere, 'the kernel answers for its own')
    check(owner?.iface !== link!.name, 'never for an owner on the link of the solicitor')
    check(!isAnnouncement || owner !== undefined, `announces ${target}, which has an owner`)
    check(!override || isAnnouncement || rules.some(({ override }) => override === 'always'), 'O=1 in answers only with `override always`')
  }

  override route(change: RouteChange): void {
    const { op, route: { target, ifindex } } = change
    if (op === 'add') {
      check(this.links.get(ifindex)?.up === true, `a route for ${target} on a link that is up`)
      const decisions = this.decisions.get(target.toString())
      check(decisions === undefined || decisions.some((decision) => decision.ifindex !== ifindex), 'no route where the kernel goes right without it')
    }
    this.pending.push(change)
    super.route(change)
  }

  discover({ ifindex, sources }: Discovery): void {
    check(this.listening.has(ifindex) && this.links.get(ifindex)!.up, 'discovers on a link that is listened on and up')
    const usable = [...this.links.values()].flatMap(({ addresses }) => addresses).filter(({ tentative }) => !tentative)
    check(sources.length > 0 && sources.every((source) => usable.some(({ address }) => address.equals(source))), 'from its own addresses')
    for (const source of sources) this.#discovering.add(`${ifindex} ${source}`)
  }

  override multicast({ ifindex, message }: Multicast): void {
    const { kind, source } = message
    check(this.listening.has(ifindex) && this.links.get(ifindex)!.up, 'sends multicast messages on a link that is listened on and up')
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
        && [subnet.upstream, ...subnet.downstream].some((pattern) => matchesIface(pattern, name))).map(({ settings }) => settings)]
  }

  /** @returns whether a probe may leave by the link with this source: its own address, or any of this machine if it has none */
  #isSource(ifindex: number, source: Address): boolean {
    const has = ({ addresses }: Link): boolean => addresses.some(({ address, tentative }) => !tentative && address.equals(source))
    const link = this.links.get(ifindex)
    return link !== undefined && (link.addresses.length === 0 ? [...this.links.values()].some(has) : has(link))
  }

  #owner(target: Address): { iface: string | undefined } | undefined {
    return this.engine.snapshot().neighbors.find((known) => known.target === target.toString()
      && (known.state === 'REACHABLE' || known.state === 'PROBE'))
  }
}
