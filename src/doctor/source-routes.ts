/** Checks that packets leave by the upstream that their source address belongs to (RFC 8028, BCP 38), by lookups in the kernel. */
import { Address, type Prefix } from '../address.ts'
import { type Check, configured, type Configured, type Finding, word } from './check.ts'
import { isNamed, prefixesOf, upstreamsOf } from './roles.ts'

/** A destination to which only a default route leads. */
const OUTSIDE = Address.parse('2000::1')!
/** The printed commands use the routing table with this number plus the ifindex of the upstream. */
const FIRST_TABLE = 1000

/** Finds prefixes whose packets leave by the upstream of another subnet. A route by any other link is no fault: it may be a tunnel. */
function strangeUpstreams({ config, machine }: Configured): Finding[] {
  const upstreams = upstreamsOf(config).flatMap((name) => machine.link(name) ?? [])
  if (upstreams.length < 2) return []
  const found = new Map<string, Finding>()
  for (const subnet of config.subnets) {
    const upstream = upstreams.find(({ name }) => name === subnet.upstream)
    const inside = machine.links.find(({ name, up }) => up && name !== subnet.upstream && isNamed(subnet.downstream, name))
    if (upstream === undefined || inside === undefined) continue
    for (const prefix of prefixesOf(subnet, machine)) {
      const { ifindex } = machine.lookup({ target: OUTSIDE, from: inside.ifindex, source: prefix.address })
      const other = upstreams.find((link) => link.ifindex === ifindex)
      // Another subnet may have the same prefix on that upstream.
      const isElsewhere = config.subnets.some((each) => each.upstream === other?.name && prefixesOf(each, machine).some((one) => one.equals(prefix)))
      if (other !== undefined && other !== upstream && !isElsewhere) {
        found.set(`${prefix}`, {
          what: `packets from ${prefix} leave by ${other.name}, but the prefix belongs to ${upstream.name}`,
          why: 'a provider drops packets from addresses that it did not give (BCP 38), so hosts of this prefix reach nothing outside',
          mend: commands(prefix, upstream, machine), link: upstream.name, target: `${prefix}`,
        })
      }
    }
  }
  return [...found.values()]
}

/**
 * @returns prefixes whose packets go back to the upstream instead of to a host of the same prefix: a routing rule for these sources selects a
 * table without the host routes. Every packet of the router itself, of its neighbors and of this machine is lost then.
 */
function returnedPackets({ config, machine, neighbors }: Configured): Finding[] {
  const found = new Map<string, Finding>()
  for (const subnet of config.subnets) {
    const upstream = machine.link(subnet.upstream)
    if (upstream === undefined) continue
    for (const prefix of prefixesOf(subnet, machine)) {
      const host = firstHost(neighbors, prefix, subnet.upstream)
      if (host === undefined) continue
      const isReturned = (source?: Address): boolean => machine.lookup({ target: host, from: upstream.ifindex, source }).ifindex === upstream.ifindex
      // Without a rule for the sources, the host route itself is missing: that is the check `host-route`.
      if (isReturned() || !isReturned(prefix.address)) continue
      found.set(`${prefix}`, {
        what: `packets from ${prefix} to ${host} leave by ${upstream.name}, because a routing rule for these sources selects another table`,
        why: 'the router, its neighbors and this machine do not reach hosts of the same prefix',
        mend: `ip -6 rule add from ${prefix} lookup main suppress_prefixlength 0`, link: upstream.name, target: `${prefix}`,
      })
    }
  }
  return [...found.values()]
}

/** @returns the first known host of a prefix that is not on the upstream */
function firstHost(neighbors: Configured['neighbors'], prefix: Prefix, upstream: string): Address | undefined {
  for (const { target, state, iface } of neighbors) {
    const address = Address.parse(target)
    if (address !== undefined && state === 'REACHABLE' && iface !== undefined && iface !== upstream && prefix.contains(address)) return address
  }
  return undefined
}

/**
 * The commands that route packets from a prefix out of its upstream; without a known gateway, the command that looks for one. The kernel
 * evaluates the second rule first, because a new rule goes in front of older ones. The second rule applies the routes of the main table, such
 * as those to hosts, but not its default routes.
 */
function commands(prefix: Prefix, { name, ifindex, mac }: { name: string; ifindex: number; mac?: unknown }, machine: Configured['machine']): string {
  const gateway = machine.defaultRoutes.find((route) => route.ifindex === ifindex && route.address !== undefined)?.address
  if (gateway === undefined && mac !== undefined) return `ping -6 -L -c 3 -I ${word(name)} ${Address.allRouters}`
  const table = FIRST_TABLE + ifindex
  return [`ip -6 route add default ${gateway === undefined ? '' : `via ${gateway} `}dev ${word(name)} table ${table}`,
    `ip -6 rule add from ${prefix} lookup ${table}`, `ip -6 rule add from ${prefix} lookup main suppress_prefixlength 0`].join(' && ')
}

export const sourceRouteChecks: readonly Check[] = [
  configured({ code: 'source-route', severity: 'warning', title: 'packets leave by the upstream of their prefix', isCheap: true },
    (subject) => [...strangeUpstreams(subject), ...returnedPackets(subject)]),
]
