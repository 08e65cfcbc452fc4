/** Checks that packets leave by the upstream that their source address belongs to (RFC 8028, BCP 38), by lookups in the kernel. */
import { Address, type Prefix } from '../address.ts'
import type { LinkDetails } from '../wire/link-details.ts'
import { type Check, configured, type Configured, type Finding, word } from './check.ts'
import { isNamed, prefixesOf, upstreamsOf } from './roles.ts'

/** A destination to which only a default route leads. */
const OUTSIDE = Address.parse('2000::1')!
/** The printed commands use the routing table with this number plus the ifindex of the upstream. */
const FIRST_TABLE = 1000

/** Finds prefixes whose packets leave by the upstream of another subnet. Leaving by any other link is no fault: it may be a tunnel. */
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
      // Packets may leave by `other` if another subnet has the same prefix on that upstream.
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
 * Finds prefixes where a routing rule leads packets from the prefix to a table without the host routes. Packets from the prefix to one of
 * its hosts then go back to the upstream. What the router itself, its neighbors and this machine send to these hosts is lost.
 */
function hiddenHostRoutes(subject: Configured): Finding[] {
  const { machine } = subject
  const found = new Map<string, Finding>()
  for (const { prefix, upstream: { name, ifindex }, host } of firstHosts(subject)) {
    if (host === undefined) continue
    const isReturned = (source?: Address): boolean => machine.lookup({ target: host, from: ifindex, source }).ifindex === ifindex
    // If packets without a source address go back as well, the host route itself is missing: the check `host-route` finds that.
    if (isReturned() || !isReturned(prefix.address)) continue
    found.set(`${prefix}`, {
      what: `packets from ${prefix} to ${host} leave by ${name}, because a routing rule for these sources selects another table`,
      why: 'the router, its neighbors and this machine do not reach hosts of the same prefix',
      mend: `ip -6 rule add from ${prefix} lookup main suppress_prefixlength 0`, link: name, target: `${prefix}`,
    })
  }
  return [...found.values()]
}

interface FirstHost { readonly prefix: Prefix; readonly upstream: LinkDetails; host?: Address }

/** Reads the neighbors once. @returns the prefixes of subnets whose upstream exists, each with its first known host not on the upstream */
function firstHosts({ config, machine, neighbors }: Configured): FirstHost[] {
  const all = config.subnets.flatMap((subnet): FirstHost[] => {
    const upstream = machine.link(subnet.upstream)
    return upstream === undefined ? [] : prefixesOf(subnet, machine).map((prefix) => ({ prefix, upstream }))
  })
  const open = new Set(all)
  for (const { target, state, iface } of neighbors) {
    if (open.size === 0) break
    if (state !== 'REACHABLE' || iface === undefined) continue
    const host = Address.parse(target)
    for (const each of open) {
      if (host === undefined || iface === each.upstream.name || !each.prefix.contains(host)) continue
      each.host = host
      open.delete(each)
    }
  }
  return all
}

/**
 * Returns the commands that route packets from a prefix out of its upstream. If the gateway on an Ethernet link is unknown, returns the
 * command that looks for routers instead. The kernel evaluates the second rule first, because a new rule goes in front of older rules. The
 * second rule applies the routes of the main table, such as host routes, but not its default routes.
 */
function commands(prefix: Prefix, { name, ifindex, mac }: { name: string; ifindex: number; mac?: unknown }, machine: Configured['machine']): string {
  const gateway = machine.defaultRoutes.find((route) => route.ifindex === ifindex && route.address !== undefined)?.address
  if (gateway === undefined && mac !== undefined) return `ping -6 -L -c 3 -I ${word(name)} ${Address.allRouters}`
  const table = FIRST_TABLE + ifindex
  return [`ip -6 route add default ${gateway === undefined ? '' : `via ${gateway} `}dev ${word(name)} table ${table}`,
    `ip -6 rule add from ${prefix} lookup ${table}`, `ip -6 rule add from ${prefix} lookup main suppress_prefixlength 0`].join(' && ')
}

export const sourceRouteChecks: readonly Check[] = [
  configured({ code: 'source-route', severity: 'warning', isCheap: true,
    title: 'packets leave by the upstream of their prefix, and no routing rule hides host routes' },
  (subject) => [...strangeUpstreams(subject), ...hiddenHostRoutes(subject)]),
]
