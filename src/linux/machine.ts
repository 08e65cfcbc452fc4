/** The links, addresses, routes and neighbors of this machine, as ip(8) shows them. */
import { Address, Prefix } from '../address.ts'
import { askIp, type IpLink, LINKS, readIp } from './ip.ts'

export interface MachineAddress {
  readonly dev: string
  readonly address: Address
  readonly length: number
  /** The address comes from router advertisements or DHCPv6. */
  readonly dynamic: boolean
}

export interface MachineRoute {
  /** ::/0 for a default route. */
  readonly prefix: Prefix
  /** Undefined for a route that discards packets. */
  readonly dev: string | undefined
  readonly via: Address | undefined
  /** `unicast`, `local`, `unreachable`, ... */
  readonly type: string
  readonly protocol: string
  readonly metric: number
}

export interface MachineNeighbor {
  readonly address: Address
  readonly dev: string
}

export interface Machine {
  readonly links: readonly IpLink[]
  /** Global and unique local addresses. */
  readonly addresses: readonly MachineAddress[]
  /** Routes of all tables, in ascending order of their metrics. */
  readonly routes: readonly MachineRoute[]
  /** Neighbors with a link-layer address. */
  readonly neighbors: readonly MachineNeighbor[]
  /** Proxy entries of the kernel. */
  readonly proxied: readonly MachineNeighbor[]
}

interface IpHop { dev?: string; gateway?: string }
interface IpRoute extends IpHop { dst: string; type?: string; protocol?: string; metric?: number; nexthops?: IpHop[] }
interface IpNeighbor { dst: string; dev: string; lladdr?: string }
interface IpAddresses { ifname: string; addr_info?: { local?: string; prefixlen: number; dynamic?: boolean }[] }

/** @throws Error of {@link askIp} */
export function readMachine(): Machine {
  const links = askIp(...LINKS) as readonly IpLink[]
  const addresses = askIp('-6', 'address', 'show') as readonly IpAddresses[]
  const routes = askIp('-6', 'route', 'show', 'table', 'all') as readonly IpRoute[]
  return {
    links,
    addresses: addresses.flatMap(({ ifname, addr_info = [] }) => addr_info.flatMap(({ local, prefixlen, dynamic = false }) => {
      const address = Address.parse(local ?? '')
      return address?.isGlobal ? [{ dev: ifname, address, length: prefixlen, dynamic }] : []
    })),
    routes: routes.flatMap(decodeRoute).sort((a, b) => a.metric - b.metric),
    neighbors: neighborsOf(readIp('-6', 'neighbor', 'show')).filter(({ lladdr }) => lladdr !== undefined),
    proxied: neighborsOf(readIp('-6', 'neighbor', 'show', 'proxy')),
  }
}

function decodeRoute({ dst, dev, gateway, type = 'unicast', protocol = '', metric = 0, nexthops }: IpRoute): MachineRoute[] {
  const prefix = Prefix.parse(dst === 'default' ? '::/0' : dst)
  const discards = type !== 'unicast' && type !== 'local'
  if (prefix === undefined || type === 'multicast' || type === 'anycast') return []
  return (nexthops ?? [{ dev, gateway }]).map((hop) =>
    ({ prefix, dev: discards ? undefined : hop.dev, via: Address.parse(hop.gateway ?? ''), type, protocol, metric }))
}

function neighborsOf(rows: readonly unknown[] = []): (MachineNeighbor & { lladdr?: string })[] {
  return (rows as readonly IpNeighbor[]).flatMap(({ dst, dev, lladdr }) => {
    const address = Address.parse(dst)
    return address === undefined ? [] : [{ address, dev, lladdr }]
  })
}
