/** The links of the configuration, with their roles and states. */
import { matchesIface, type Config } from '../config/config.ts'
import type { Link } from '../engine-types.ts'
import type { LinkUsage } from '../events.ts'
import type { LinkState } from './meanings.ts'

/** `upstream`: routers solicit there. `downstream`: hosts are there. `route`: an `auto` rule found the link by a route. */
export type Role = 'upstream' | 'downstream' | 'route'

export interface LinkStatus {
  /** Name of the link; a pattern of the configuration if no link matches it. */
  readonly name: string
  readonly ifindex: number | null
  readonly roles: readonly Role[]
  readonly state: LinkState
  /** Why the state is `failed`. */
  readonly reason: string | null
  /** Packets since the link is served; null if it is not served. `lost`: packets dropped because they came faster than they were read. */
  readonly received: number | null
  readonly lost: number | null
  readonly sent: number | null
  readonly unsent: number | null
  readonly queued: number | null
}

export interface LinkSource {
  readonly config: Config
  /** Links of this machine except `ports`. */
  readonly links: readonly Link[]
  /** Names of the ports of bridges, bonds and teams. */
  readonly ports: readonly string[]
  readonly usage: readonly LinkUsage[]
  /** Whether the daemon is starting or stopping: links without sockets are no failure then. */
  readonly isPending: boolean
}

const NOT_SERVED = { received: null, lost: null, sent: null, unsent: null, queued: null }

/** @returns the roles of each interface name and pattern: those of `subnet` blocks first, then those of `proxy` blocks */
function rolesOf({ proxies, subnets }: Config): ReadonlyMap<string, ReadonlySet<Role>> {
  const roles = new Map<string, Set<Role>>()
  const add = (role: Role, words: readonly string[]): void => {
    for (const word of words) roles.set(word, (roles.get(word) ?? new Set()).add(role))
  }
  for (const { upstream, downstream } of subnets) {
    add('upstream', [upstream])
    add('downstream', downstream)
  }
  for (const { iface, rules } of proxies) {
    add('upstream', [iface])
    for (const rule of rules) if (rule.kind === 'iface') add('downstream', rule.ifaces)
  }
  return roles
}

/** @returns a status for each present link that the configuration names or a route leads to, and for each name without a link */
export function linkStatuses({ config, links, ports, usage, isPending }: LinkSource): LinkStatus[] {
  const roles = rolesOf(config)
  const byName = new Map(usage.map((each) => [each.iface, each]))
  const missing = new Set(roles.keys())
  const statuses: LinkStatus[] = []
  const present = [...links.filter(({ name }) => name !== 'lo').map((link) => ({ ...link, isPort: false })),
    ...ports.map((name) => ({ name, ifindex: null, up: true, isPort: true }))]
  for (const { name, ifindex, up, isPort } of present) {
    const words = [...roles.keys()].filter((word) => matchesIface(word, name))
    // A pattern does not mean the ports that it happens to match.
    if (isPort && !words.includes(name)) continue
    const served = byName.get(name)
    if (words.length === 0 && served === undefined) continue
    for (const word of words) missing.delete(word)
    const state = isPort ? 'port' : served === undefined && isPending ? 'pending'
      : served === undefined || served.failure !== undefined ? 'failed' : up ? 'serving' : 'down'
    const { failure, received = null, drops: lost = null, sent = null, unsent = null, queued = null } = served ?? {}
    statuses.push({ name, ifindex, roles: words.length === 0 ? ['route'] : [...new Set(words.flatMap((word) => [...roles.get(word)!]))],
      state, reason: state === 'failed' ? failure ?? 'no socket is open for it' : null, received, lost, sent, unsent, queued })
  }
  for (const name of missing) {
    statuses.push({ name, ifindex: null, roles: [...roles.get(name)!], state: 'waiting', reason: null, ...NOT_SERVED })
  }
  const order = [...roles.keys()]
  const place = ({ name }: LinkStatus): number => (order.findIndex((word) => matchesIface(word, name)) + order.length + 1) % (order.length + 1)
  return statuses.sort((a, b) => place(a) - place(b) || a.name.localeCompare(b.name, 'en', { numeric: true }))
}
