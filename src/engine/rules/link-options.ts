/** Options of links, by name or pattern: what to receive from a link, and the option `snooping`. */
import type { Proxy, Settings, Subnet } from '../../config/config.ts'
import { fits, fitsAny, type LinkSet, type LinkSets } from '../links/link-sets.ts'
import type { Subscription } from '../../engine-types.ts'

type Wanted = { -readonly [K in keyof Subscription]?: boolean }

interface Snooping {
  readonly mode: 'mirror' | 'mrd'
  /** Links where routers solicit for the hosts on the links `inside`. */
  readonly outside: LinkSet
  readonly inside: LinkSet
}

/** Subscription without options. */
export const PLAIN: Subscription = { promiscuous: false, ring: false, ownSolicitations: false, reports: false, routerSolicitations: false,
  prefixes: false, routerMessages: false, grants: false }

export class LinkOptions {
  readonly #sets: LinkSets
  /** What to receive, by interface name or pattern. Fields that would be false are left out. */
  readonly #wanted = new Map<string, Wanted>()
  readonly #listening = new Set<string>()
  readonly #snooping = new Map<string, Snooping>()

  constructor(sets: LinkSets) { this.#sets = sets }
  get names(): string[] { return [...new Set([...this.#listening, ...this.#sets.names])] }

  /** Adds the links of a block, with what to receive on each. */
  addProxy({ iface, settings, rules }: Proxy): void {
    this.#listen(iface, { promiscuous: settings.promiscuous, ring: true, ownSolicitations: settings.routes })
    for (const rule of rules) if (rule.kind === 'iface') this.#snoop(settings, iface, rule.ifaces)
  }

  /** Adds the links of a block, as `addProxy` does. */
  addSubnet({ prefix, upstream, downstream, settings }: Subnet): void {
    const { promiscuous, routes, learn, routerAdvertisements } = settings
    this.#listen(upstream,
      { promiscuous, ring: true, ownSolicitations: routes && learn, prefixes: prefix === 'auto', grants: routerAdvertisements })
    for (const name of downstream) this.#listen(name, { promiscuous, routerMessages: routerAdvertisements })
    this.#snoop(settings, upstream, downstream)
  }

  /** Adds a link that rules listen on. @param wanted what to receive there */
  #listen(name: string, wanted: Wanted): void {
    this.#listening.add(name)
    this.#want(name, wanted)
  }

  /**
   * Adds the option `snooping` of a block.
   * @param outside the link where routers solicit
   * @param inside the links of the hosts
   */
  #snoop({ snooping: mode }: Settings, outside: string, inside: readonly string[]): void {
    if (mode === 'no') return
    this.#snooping.set(`${mode} ${outside} ${inside.join(' ')}`, { mode, outside: this.#sets.of([outside]), inside: this.#sets.of(inside) })
    if (mode === 'mrd') this.#want(outside, { routerSolicitations: true })
    else for (const name of inside) this.#want(name, { reports: true })
  }

  isListening(name: string): boolean { return fitsAny(this.#listening, name) }

  /** @returns what to receive from a link of this name; undefined when the configuration does not name it */
  subscription(name: string): Subscription | undefined {
    if (!this.isListening(name) && !this.#sets.has(name)) return undefined
    const wanted = [...this.#wanted].filter(([pattern]) => fits(pattern, name)).map(([, value]) => value)
    return Object.assign({ ...PLAIN }, ...wanted)
  }

  /** `mirrors`: the links where groups are joined, by the link where hosts reported them. `routers`: links that get MRD messages. */
  get snooping(): { mirrors: Map<number, number[]>; routers: Set<number> } {
    const mirrors = new Map<number, number[]>()
    const routers = new Set<number>()
    for (const { mode, outside, inside } of this.#snooping.values()) {
      if (mode === 'mrd') for (const link of outside.ifindexes) routers.add(link)
      else for (const link of inside.ifindexes) {
        const others = outside.ifindexes.filter((other) => other !== link)
        if (others.length > 0) mirrors.set(link, [...new Set([...mirrors.get(link) ?? [], ...others])])
      }
    }
    return { mirrors, routers }
  }

  #want(name: string, wanted: Wanted): void {
    let known = this.#wanted.get(name)
    if (known === undefined) this.#wanted.set(name, known = {})
    for (const key of Object.keys(wanted) as (keyof Subscription)[]) if (wanted[key] === true) known[key] = true
  }
}
