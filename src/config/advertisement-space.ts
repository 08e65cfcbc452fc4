/** Checks that prefixes, name servers and domains fit into one Router Advertisement of 1280 bytes, the minimum MTU (RFC 8200 5). */
import type { Subnet } from './config.ts'
import type { Report } from './diagnostic.ts'
import type { Placed } from './parser.ts'
import type { Places } from './places.ts'

/** Bytes left after the IPv6 header, the fixed fields, and the options for link-layer address and MTU (RFC 4861 4.2). */
const SPACE = 1280 - 40 - 16 - 8 - 8
/**
 * `PREFIX`: bytes of a prefix option. `HEADER`: bytes of a server or domain option without its values. A test compares these sizes
 * with wire/router-messages.ts.
 */
const PREFIX = 32, HEADER = 8
/**
 * `SERVER`: bytes of the address of a server. `DOMAIN`: bytes of a domain without its characters: the length octet of the first label and a
 * final zero (RFC 1035 3.1).
 */
const SERVER = 16, DOMAIN = 2

/**
 * Warns of servers and domains that do not fit beside the prefixes of all subnets of a link. Servers get space before domains.
 * One prefix per subnet is assumed, although a `subnet auto` may get several from its upstream, or none.
 */
export function checkAdvertisementSpace(subnets: readonly Placed<Subnet>[], places: Places, report: Report): void {
  const advertised = subnets.map(({ value }) => value).filter(({ settings }) => settings.routerAdvertisements)
  const byLink = new Map<string, Subnet[]>()
  for (const subnet of advertised) for (const link of subnet.downstream) byLink.set(link, [...byLink.get(link) ?? [], subnet])
  const reported = new Set<Subnet>()
  for (const [link, group] of byLink) {
    const subnet = group.findLast(({ dns, search }) => dns !== undefined || search !== undefined)
    if (subnet === undefined || reported.has(subnet)) continue
    const servers = new Set(group.flatMap(({ dns = [] }) => dns.map(String)))
    const domains = [...new Set(group.flatMap(({ search = [] }) => search))]
    let space = SPACE - PREFIX * group.length
    const server = countFitting([...servers].map(() => SERVER), space)
    if (server > 0) space -= HEADER + SERVER * server
    const domain = countFitting(domains.map(({ length }) => length + DOMAIN), space)
    for (const [what, all, count, field] of [['name servers', servers.size, server, 'dns'], ['search domains', domains.length, domain, 'search']] as const) {
      const word = places.spanOf(subnet, field) ?? places.spanOf(group.find((each) => each[field] !== undefined) ?? subnet, field)
      if (count === all || word === undefined) continue
      reported.add(subnet)
      const [others, hint] = server > 0 ? ['name servers', 'write fewer name servers'] : ['prefixes', `use fewer subnets on ${link}`]
      if (count === 0) report.warning(word, 'no-effect', `no ${what.slice(0, -1)} of ${link} fits into one advertisement beside the ${others}`, hint)
      else report.warning(word, 'no-effect', `only ${count} of ${all} ${what} of ${link} fit into one advertisement: the others are not advertised`,
        `write at most ${count}`)
    }
  }
}

/**
 * @param sizes the bytes of each value
 * @returns how many values, from the first one on, fit into `space`. Their option is padded to a multiple of 8 bytes (RFC 4861 4.6)
 */
function countFitting(sizes: readonly number[], space: number): number {
  let size = HEADER
  const first = sizes.findIndex((each) => 8 * Math.ceil((size += each) / 8) > space)
  return first < 0 ? sizes.length : first
}
