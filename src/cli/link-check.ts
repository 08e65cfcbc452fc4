/** Compares a configuration with this machine: its links with the existing ones, and Router Advertisements with the forwarding setting. */
import { Prefix } from '../address.ts'
import { type Config, matchesIface } from '../config/config.ts'
import { type Diagnostic, quote, Report } from '../config/diagnostic.ts'
import type { Parsed } from '../config/load.ts'
import { linksHere } from '../config/suggest.ts'
import { isWithoutDiscovery, readIp, readLinks } from '../linux/ip.ts'
import { readSetting } from '../linux/sysctl.ts'

/** The most links that a hint lists, and the most warnings about missing links. */
const LISTED = 16

/**
 * Warns of missing links, and of links without neighbor discovery on which hosts are to be probed. Neither is an error: a missing link may
 * appear later, and on links without neighbor discovery many peers answer probes all the same.
 * @returns no warnings if the links of this machine cannot be read, or the configuration has errors
 */
export function checkLinks({ config, ifaces }: Parsed, links = readLinks()): readonly Diagnostic[] {
  if (config === undefined || links === undefined) return []
  const report = new Report()
  const names = links.map(({ ifname }) => ifname).filter((name) => name !== 'lo')
  const existing = new Set(['lo', ...names])
  const missing = [...ifaces].filter(([name]) => !name.includes('*') && !existing.has(name))
  for (const [name, span] of missing.slice(0, LISTED)) {
    report.warning(span, 'missing-link', `no link ${quote(name)} on this machine: ndp6d waits for it`,
      linksHere(name, names, new Set(ifaces.keys()), LISTED))
  }
  if (missing.length > LISTED) {
    report.warning(missing[LISTED][1], 'missing-link', `${missing.length - LISTED} more links of this configuration do not exist on this machine`)
  }
  const silent = links.filter((link) => link.ifname !== 'lo' && isWithoutDiscovery(link)).map(({ ifname }) => ifname)
  for (const [pattern, { name, rule }] of silent.length === 0 ? [] : probed(config, silent)) {
    report.warning(ifaces.get(pattern)!, 'no-neighbor-discovery', `${rule === undefined ? '' : `\`${rule}\` leads to ${quote(name)}: `}on ${quote(name)}, a link `
      + 'without neighbor discovery (NOARP), a peer may answer no probe',
      `for such a peer write \`rule ADDRESS/128 { static }\`${rule === undefined ? `, or \`host ADDRESS ${name}\` in a subnet` : ''}`)
  }
  return report.diagnostics
}

/**
 * Warns if Router Advertisements give no default route because this machine does not forward. This is no error, because the machine may
 * forward later.
 */
export function checkForwarding({ config, places }: Parsed, isForwarding = readSetting('all', 'forwarding') !== 0): readonly Diagnostic[] {
  const subnet = config?.subnets.find(({ settings }) => settings.routerAdvertisements)
  const span = subnet && places.spanOf(subnet, 'routerAdvertisements')
  if (config === undefined || config.forwarding || isForwarding || span === undefined) return []
  const report = new Report()
  report.warning(span, 'no-forwarding', 'this machine does not forward IPv6: hosts get addresses, but no default route',
    'write `forwarding yes` outside of all blocks')
  return report.diagnostics
}

/** A link without neighbor discovery; `rule`: the `auto` rule, if a route to its prefix leads to the link. */
interface Silent {
  readonly name: string
  readonly rule?: string
}

/** @returns the links of `silent` on which a block probes hosts. Keys are the names or patterns to underline in the file */
function probed({ subnets, proxies }: Config, silent: readonly string[]): Map<string, Silent> {
  const found = new Map<string, Silent>()
  const add = (patterns: readonly string[], except: (name: string) => boolean): void => {
    for (const pattern of patterns) {
      const name = silent.find((each) => matchesIface(pattern, each) && !except(each))
      if (name !== undefined && !found.has(pattern)) found.set(pattern, { name })
    }
  }
  for (const { downstream, upstream, hosts } of subnets) {
    add(downstream, (name) => name === upstream || hosts.some(({ iface }) => iface === name))
  }
  for (const { iface, rules } of proxies) {
    for (const rule of rules) {
      if (rule.kind === 'iface') add(rule.ifaces, (name) => name === iface)
      if (rule.kind !== 'auto' || found.has(iface)) continue
      const name = routeLinks(rule.prefix).find((each) => each !== iface && silent.includes(each))
      if (name !== undefined) found.set(iface, { name, rule: `rule ${rule.prefix} { auto }` })
    }
  }
  return found
}

/** @returns the links of the routes to `prefix` or to parts of it; without such routes, the links of the routes that contain `prefix` */
function routeLinks(prefix: Prefix): readonly string[] {
  const rows = (readIp('-6', 'route', 'show', 'root', String(prefix)) ?? []) as readonly { dev?: string }[]
  const covering = rows.length > 0 ? rows : (readIp('-6', 'route', 'show', 'match', String(prefix)) ?? []) as readonly { dev?: string }[]
  return covering.flatMap(({ dev }) => dev ?? [])
}
