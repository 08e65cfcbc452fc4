/** An engine with links, a kernel that may be slow, and a clock that only {@link World.wait} moves. */
import type { Address, Prefix } from '../../../src/address.ts'
import type { Config } from '../../../src/config/config.ts'
import { Engine } from '../../../src/engine.ts'
import type { Effects, HostRoute, Input, Instant, Link } from '../../../src/engine-types.ts'
import type { Outcome } from '../../../src/events.ts'
import { NdiscView } from '../../../src/wire/ndisc-decode.ts'
import { chance, ip, linkOf, LO, mac, na, ns, own, prefix } from '../../engine/kit/stage.ts'
import { replyTo } from '../../engine/kit/routing.ts'
import { check, Critic } from './critic.ts'
import { ADDRESSES, LIMIT, NEXT_HOPS, type Step } from './steps.ts'

export class World {
  readonly sink = new Critic()
  readonly engine: Engine
  readonly #view = new NdiscView()
  readonly #slab = new Uint8Array(256)
  #saved = '[]'
  #revision = 0
  #isSlow = false
  now = 0 as Instant

  constructor(config: Config, links: Iterable<Link>) {
    this.sink.configure(config)
    this.engine = this.sink.engine = new Engine(config, chance(1))
    for (const link of links) this.link(link)
  }

  apply(step: Step): void {
    switch (step.op) {
      case 'ns': {
        const forecast = this.#forecast(step.ifindex, step.target)
        const outcome = this.#frame(step.ifindex, ns({ ...step, ...(step.unicast ? { to: step.target } : {}) }))
        if (outcome !== undefined && step.source !== '::') checkForecast(forecast, outcome)
        break
      }
      case 'na': this.#frame(step.ifindex, na({ ...step, source: step.source ?? step.target })); break
      case 'noise': this.#frame(step.ifindex, step.bytes); break
      case 'input':
        // Saved hosts have routes before the kernel is asked for their way.
        if (step.input.kind === 'saved-hosts') this.sink.decisions.clear()
        this.#step(step.input)
        break
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
        this.#step({ kind: 'link-gone', ifindex: step.ifindex })
        this.#rerouted()
        break
      }
      case 'config':
        this.sink.configure(step.config)
        this.#step({ kind: 'config', config: step.config })
        break
      case 'prefixes': {
        const link = this.sink.links.get(step.ifindex)
        if (link !== undefined) this.prefixes(link, step.prefixes.map(prefix))
        break
      }
      case 'reply': this.#reply(ip(step.target), step.ifindex, step.local); break
      case 'routes': {
        // Another program added it with our mark.
        if (step.target !== undefined && this.sink.links.has(step.ifindex)) {
          this.sink.routes.set(step.target, { target: ip(step.target), ifindex: step.ifindex })
          // It may be of the previous run: then the kernel's last reply was this route.
          this.sink.decisions.delete(step.target)
        }
        this.compare()
        break
      }
      case 'kernel':
        this.#isSlow = step.isSlow
        this.#applyRoutes()
        break
      case 'wait': this.wait(step.ms); break
    }
    // The kernel answers in the same turn.
    for (let lookup = this.sink.lookups.shift(); lookup !== undefined; lookup = this.sink.lookups.shift()) {
      const { target } = lookup
      this.#reply(target, [2, 3, 4, undefined][target.w3 & 3], false, (target.w3 & 4) === 0 ? undefined : NEXT_HOPS[target.w3 & 1])
    }
    this.#look()
  }

  prefixes({ name, ifindex }: Link, prefixes: readonly Prefix[]): void {
    this.sink.onLink.set(name, prefixes)
    this.#step({ kind: 'prefixes', ifindex, prefixes })
  }

  compare(): void {
    this.#applyRoutes()
    const present: HostRoute[] = [...this.sink.routes.values()]
    this.#step({ kind: 'routes', present })
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
      this.#carryOut(this.engine.wake(this.now))
      for (let lookup = this.sink.lookups.shift(); lookup !== undefined; lookup = this.sink.lookups.shift()) {
        this.#reply(lookup.target, undefined, false)
      }
    }
    this.now = until as Instant
  }

  link(link: Link): void {
    const before = this.sink.links.get(link.ifindex)
    if (before !== undefined && before.name !== link.name) this.sink.onLink.delete(before.name)
    this.sink.have(link)
    this.#step({ kind: 'link', link })
    this.#rerouted()
  }

  /** The kernel's routes changed with the addresses of links. */
  #rerouted(): void {
    this.#step({ kind: 'route-changed', prefix: undefined })
    this.wait(0)
  }

  /** What is left after all learned entries are gone. Pinned hosts may have kept a link-layer address, which is left out. */
  get rest(): string {
    const { listening, routes, members } = this.sink
    // A host route that the kernel has may stay, although the kernel would go right without it.
    const needed = [...routes.values()].filter((route) => this.#isNeeded(route)).map(({ target }) => target.toString())
    const neighbors = this.engine.snapshot().neighbors.map(({ lladdr, routed, ...neighbor }) => neighbor)
    const groups = [...listening].filter((ifindex) => (members.get(ifindex)?.size ?? 0) > 0)
      .map((ifindex) => `${ifindex}: ${[...members.get(ifindex)!].sort()}`)
    return JSON.stringify({ groups: groups.sort(), routes: needed.sort(), neighbors }, null, 1)
  }

  /** @returns whether the kernel would lead packets for the target elsewhere, from any link that is listened on, or from this machine */
  #isNeeded(hidden: HostRoute): boolean {
    const { target, ifindex } = hidden
    const from = [...this.sink.links.values()].filter((link) => link.up && link.ifindex !== ifindex && this.sink.listening.has(link.ifindex))
    return replyTo({ target, ifindex, from: [0, ...from.map((link) => link.ifindex)], hidden }, this.sink.links.values(), this.sink.routes.values()).decisions
      .some((decision) => decision.ifindex !== ifindex)
  }

  /** Checks what holds after every step. */
  #look(): void {
    const { neighbors } = this.engine.snapshot()
    const learned = neighbors.filter(({ state, pinned, via }) => !pinned && via === undefined && (state === 'REACHABLE' || state === 'PROBE'))
    check(learned.length <= LIMIT, `${learned.length} learned owners`)
    check(neighbors.length <= ADDRESSES.length, 'one entry for one address')
    const hosts = this.sink.config.subnets.flatMap(({ hosts }) => hosts)
    check(neighbors.every(({ target, pinned, iface }) => !pinned || iface === undefined
      || hosts.some((host) => host.address.toString() === target && (host.iface ?? iface) === iface)), 'a pinned host stays')
    const { revision } = this.engine
    const savedHosts = [...this.engine.savedHosts]
    const saved = JSON.stringify(savedHosts.sort((a, b) => a.target.compare(b.target)))
    check(savedHosts.every(({ target }) => learned.some((known) => known.target === target.toString())), 'only learned owners are saved')
    check(saved === this.#saved || revision > this.#revision, 'a change of the saved hosts grows the revision')
    this.#saved = saved
    this.#revision = revision
  }

  #reply(target: Address, ifindex: number | undefined, local: boolean, via?: string): void {
    this.#step({ kind: 'lookup', target, decision: { ifindex, local, via: via === undefined ? undefined : ip(via), length: 0 } })
  }

  #step(input: Input): void { this.#carryOut(this.engine.step(input, this.now)) }

  #carryOut(effects: Effects): void {
    this.sink.record(effects)
    if (!this.#isSlow) this.#applyRoutes()
    for (let lookup = this.sink.paths.shift(); lookup !== undefined; lookup = this.sink.paths.shift()) {
      const reply = replyTo(lookup, this.sink.links.values(), this.sink.routes.values())
      this.sink.decisions.set(lookup.target.toString(), reply.decisions)
      this.#step(reply)
    }
  }

  /** The kernel has all routes now. */
  #applyRoutes(): void {
    const changes = this.sink.pending.splice(0)
    if (changes.length > 0) this.#step({ kind: 'routes-done', changes })
  }

  /** What `ndp6d explain` says about solicitations on a link. */
  #forecast(ifindex: number, target: string): { outcome: Outcome; isClaimed: boolean } {
    const { links, neighbor } = this.engine.explain(ip(target), this.now)
    const link = links.find((each) => each.ifindex === ifindex)
    return { outcome: link?.outcome ?? (ip(target).isLinkLocal ? 'link-local' : 'no-rule'), isClaimed: neighbor?.claimed !== undefined }
  }

  /** @returns the outcome of a valid frame */
  #frame(ifindex: number, frame: Uint8Array): Outcome | undefined {
    if (this.sink.links.has(ifindex) && !this.sink.listening.has(ifindex)) return undefined
    const before = this.sink.outcomes.length
    this.#slab.set(frame)
    const view = this.#view
    const read = (): NdiscView => {
      view.drop = view.decode(this.#slab, 0, frame.length, 14, false)
      return view
    }
    this.#step({ kind: 'packets', ifindex, batch: { size: 1, read } })
    const isValid = view.drop === undefined
    this.#slab.fill(0xde)
    this.#view.poison()
    return isValid ? this.sink.outcomes[before] : undefined
  }
}

/** A refused probe cannot be foreseen, and neither can the sender be: the claimant of an address waits. */
function checkForecast({ outcome: forecast, isClaimed }: { outcome: Outcome; isClaimed: boolean }, outcome: Outcome): void {
  check(forecast === outcome || (outcome === 'limit' && ['probing', 'answered'].includes(forecast))
    || (isClaimed && forecast === 'answered' && outcome === 'probing'), `explained as ${forecast}, but ${outcome}`)
}
