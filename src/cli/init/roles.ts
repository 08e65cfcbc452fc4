/** Decides which link leads to the router, which prefixes are on-link there, and which links have the hosts. */
import { type Address, Prefix } from '../../address.ts'
import type { Config } from '../../config/config.ts'
import { type IpLink, isWithoutDiscovery } from '../../linux/ip.ts'
import type { Machine, MachineRoute } from '../../linux/machine.ts'
import type { ProxyEntry } from './boot-scripts.ts'

/** What was found on this machine. */
export interface Findings {
  readonly machine: Machine
  /** Proxy entries of the kernel and of boot scripts. */
  readonly entries: readonly ProxyEntry[]
  /** /etc/ndppd.conf; undefined if it is missing, has errors or has no block. */
  readonly ndppd: Config | undefined
}

/** A decision with its reason. `others`: the other possible values, if the decision is a guess. */
export interface Decision<T> {
  readonly value: T
  readonly reason: string
  readonly others: readonly T[]
}

/** Kinds of links that have neither a router nor hosts. */
const NO_NEIGHBORS = ['dummy', 'vrf', 'ifb', 'nlmon', 'vcan', 'can']
/** Kinds of masters that take all packets of their ports. */
const PORTS = ['bridge', 'bond', 'team']

/** @returns the links that may have a router or hosts: they are up, and not the port of a bridge or bond */
function usableLinks({ links }: Machine): readonly IpLink[] {
  return links.filter(({ ifname, flags, linkinfo, master }) => ifname !== 'lo' && flags.includes('UP')
    && !NO_NEIGHBORS.includes(linkinfo?.info_kind ?? '') && !(master !== undefined && PORTS.includes(linkinfo?.info_slave_kind ?? '')))
}

/** Chooses the link of the router. @returns undefined if no link is up */
export function chooseUpstream({ machine, entries, ndppd }: Findings): Decision<string> | undefined {
  const names = usableLinks(machine).map(({ ifname }) => ifname)
  const usable = (devs: readonly (string | undefined)[]): string[] =>
    [...new Set(devs)].filter((dev): dev is string => dev !== undefined && names.includes(dev))
  const numbered = new Set(machine.addresses.filter(({ length }) => length < 128).map(({ dev }) => dev))
  const ways: readonly (readonly [string, readonly (string | undefined)[]])[] = [
    ['default route', machine.routes.filter(({ prefix, type }) => prefix.length === 0 && type === 'unicast').map(({ dev }) => dev)],
    ['/etc/ndppd.conf answers there', ndppd?.proxies.map(({ iface }) => iface) ?? []],
    ['proxy entries answer there', entries.map(({ dev }) => dev)],
    ['the only link with an address', machine.addresses.filter(({ length }) => length < 128).map(({ dev }) => dev)],
    ['no default route', names],
  ]
  for (const [reason, devs] of ways) {
    const found = usable(devs)
    if (found.length === 0) continue
    const better = found.length > 1 ? found.filter((dev) => numbered.has(dev)) : found
    const [value, ...others] = better.length > 0 ? better : found
    return { value, reason: reason === 'default route' ? `default route${gatewayOf(machine, value)}` : reason,
      others: reason === 'no default route' ? found.filter((dev) => dev !== value) : others }
  }
  return undefined
}

/** The default routes on a link. */
export function defaultRoutes({ routes }: Machine, link: string): readonly MachineRoute[] {
  return routes.filter(({ prefix, dev, type }) => prefix.length === 0 && dev === link && type === 'unicast')
}

function gatewayOf(machine: Machine, link: string): string {
  const [route] = defaultRoutes(machine, link)
  return route?.via === undefined ? '' : ` via ${route.via}`
}

export interface OnLinkPrefix extends Decision<Prefix> {
  /** The prefix comes from router advertisements only. */
  readonly dynamic: boolean
}

/** Returns the prefixes that are on-link at `upstream`. */
export function onLinkPrefixes({ machine: { addresses, routes }, entries }: Findings, upstream: string): readonly OnLinkPrefix[] {
  const found = new Map<string, OnLinkPrefix>()
  const add = (prefix: Prefix, reason: string, dynamic: boolean, others: readonly Prefix[] = []): void => {
    const before = found.get(String(prefix))
    found.set(String(prefix), before === undefined ? { value: prefix, reason, others, dynamic }
      : { ...before, dynamic: before.dynamic && dynamic })
  }
  const own = addresses.filter(({ dev }) => dev === upstream)
  for (const { address, length, dynamic } of own) if (length < 127) add(new Prefix(address, length), `${address} is on ${upstream}`, dynamic)
  for (const { prefix, dev, via, protocol } of routes) {
    // The kernel makes an on-link route for the prefix of an own address, or for a prefix in a Router Advertisement.
    const isAdvertised = dev === upstream && via === undefined && isProxied(prefix) && ['kernel', 'ra'].includes(protocol)
    if (isAdvertised && !found.has(String(prefix))) add(prefix, `on-link at ${upstream}`, true)
  }
  if (found.size > 0) return [...found.values()]
  for (const { prefix, dev, type } of routes) {
    if (dev === undefined && isProxied(prefix) && own.some(({ address }) => prefix.contains(address))) add(prefix, `${type} route`, false)
  }
  if (found.size > 0) return [...found.values()]
  // No route shows the prefix length, so a /64 is assumed, which most links have.
  for (const { address } of own.length > 0 ? own : entries.filter(({ dev }) => dev === upstream)) add(new Prefix(address, 64), `the /64 of ${address}`, false, [new Prefix(address, 128)])
  return [...found.values()]
}

/** @returns whether a prefix may be proxied: global, and neither a single address nor a point-to-point link */
export function isProxied({ address, length }: Prefix): boolean { return length > 0 && length < 127 && address.isGlobal }

/** Links with hosts of a prefix, each with the evidence. */
export type Downstreams = ReadonlyMap<string, readonly string[]>

/** Returns the links other than `upstream` with evidence of hosts in `prefix`. */
export function downstreamsOf({ machine, entries, ndppd }: Findings, upstream: string, prefix: Prefix): Downstreams {
  const usable = new Set(usableLinks(machine).map(({ ifname }) => ifname))
  const found = new Map<string, string[]>()
  const add = (dev: string | undefined, evidence: string): void => {
    if (dev === undefined || dev === upstream || !usable.has(dev)) return
    const list = found.get(dev) ?? []
    if (!list.includes(evidence)) found.set(dev, [...list, evidence])
  }
  const isInside = (other: Prefix): boolean => other.length >= prefix.length && prefix.contains(other.address)
  for (const { address, length, dev } of machine.addresses) if (length < 128 && prefix.contains(address)) add(dev, `has ${address}/${length}`)
  for (const { prefix: to, dev, type, protocol } of machine.routes) {
    if (type === 'unicast' && protocol !== 'kernel' && isInside(to)) add(dev, `route to ${to}`)
  }
  for (const { address, dev } of entries) if (prefix.contains(address)) add(dev, 'proxy entry for an upstream address')
  const seen = new Map<string, number>()
  for (const { address, dev } of machine.neighbors) if (prefix.contains(address)) seen.set(dev, (seen.get(dev) ?? 0) + 1)
  for (const [dev, count] of seen) add(dev, `${count} neighbor${count === 1 ? '' : 's'} seen`)
  for (const { iface, rules } of ndppd?.proxies ?? []) {
    for (const rule of rules) {
      if (rule.kind !== 'iface' || !(isInside(rule.prefix) || covers(rule.prefix, prefix))) continue
      if (iface === upstream) for (const name of rule.ifaces) add(name, '/etc/ndppd.conf')
      else if (rule.ifaces.includes(upstream)) add(iface, '/etc/ndppd.conf')
    }
  }
  return found
}

/** @returns the first link besides `upstream` that could have hosts, and the further such links as `others`; undefined if there is none */
export function guessDownstream({ machine }: Findings, upstream: string): Decision<string> | undefined {
  const others = usableLinks(machine).filter((link) => link.ifname !== upstream && !isWithoutDiscovery(link)).map(({ ifname }) => ifname)
  const [value, ...more] = others
  return value === undefined ? undefined : { value, reason: 'the only other link', others: more }
}

/** @returns whether `outer` contains all of `inner` */
export function covers(outer: Prefix, inner: Prefix): boolean { return outer.length <= inner.length && outer.contains(inner.address) }

/** @returns the most specific route to an address; default routes do not count */
export function routeTo({ routes }: Machine, address: Address): MachineRoute | undefined {
  const found = routes.filter(({ prefix, type }) => type === 'unicast' && prefix.length > 0 && prefix.contains(address))
  return found.sort((a, b) => b.prefix.length - a.prefix.length)[0]
}
