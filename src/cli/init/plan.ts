/** Makes the blocks of a configuration from what was found on this machine. */
import { type Address, Prefix } from '../../address.ts'
import { matchesIface, type Proxy, type Rule } from '../../config/config.ts'
import { DEFAULTS } from '../../config/defaults.ts'
import { printIface, printRule, printSettings } from '../../config/print.ts'
import { isWithoutDiscovery } from '../../linux/ip.ts'
import { joinNumbered } from './numbered-links.ts'
import {
  covers, defaultRoutes, type Downstreams, downstreamsOf, type Findings, guessDownstream, isProxied, onLinkPrefixes, type OnLinkPrefix, routeTo,
} from './roles.ts'

/** A statement or comment line, with its reason as a comment behind it. */
export interface Line {
  readonly text: string
  readonly why?: string
}

export interface Block {
  readonly head: string
  readonly lines: readonly Line[]
}

export interface Plan {
  readonly blocks: readonly Block[]
  /** The role of each link, with the evidence. */
  readonly roles: ReadonlyMap<string, string>
  /** Sentences about what the reader has to decide. */
  readonly open: readonly string[]
}

/** Router Advertisements, only as a comment that the reader may turn into a statement: guests with static addresses do not need them. */
const ADVERTISE: Line = { text: '# router-advertisements yes', why: 'guests then need no setting' }

/** Plans the blocks around `upstream`. */
export function plan(found: Findings, upstream: string): Plan {
  const { machine, ndppd } = found
  const prefixes = onLinkPrefixes(found, upstream)
  const open: string[] = []
  const roles = new Map<string, string>()
  const blocks: Block[] = []
  const kept = keptRules(found, upstream, prefixes)
  const evidence = new Map<string, string[]>()
  for (const { value } of prefixes) {
    for (const [dev, reasons] of downstreamsOf(found, upstream, value)) {
      evidence.set(dev, [...new Set([...evidence.get(dev) ?? [], ...reasons])])
    }
  }
  const subnets = prefixes.filter(({ value }) => !kept.some(({ rules }) => rules.some(({ prefix }) => covers(prefix, value))))
  const isAuto = subnets.length > 0 && subnets.every(({ dynamic, others }) => dynamic && others.length === 0)
  const guess = evidence.size > 0 ? undefined : guessDownstream(found, upstream)
  const downstream = guess === undefined ? [...evidence.keys()] : [guess.value]
  if (subnets.length > 0) {
    for (const dev of downstream) roles.set(dev, `downstream (${evidence.get(dev)?.join(', ') ?? guess!.reason})`)
    if (downstream.length === 0) open.push('no link has hosts: name theirs as downstream when it exists')
    else if (guess !== undefined && guess.others.length > 0) {
      roles.set(guess.value, 'downstream, perhaps')
      for (const dev of guess.others) roles.set(dev, 'downstream, perhaps')
      open.push(`no route or neighbor shows which link has the hosts: choose among ${[guess.value, ...guess.others].join(', ')}`)
    }
    for (const { value, reason, others } of subnets) {
      if (others.length > 0) open.push(`no route shows the length of ${value}, ${reason}: write the one that the router has on its link`)
    }
    const wholes = new Map(subnets.map(({ value }) => new Prefix(value.address, Math.min(64, value.length))).map((whole) => [String(whole), whole]))
    for (const whole of wholes.values()) {
      const parts = subnets.map(({ value }) => value).filter((value) => covers(whole, value))
      const beside = machine.addresses.filter(({ address, dev }) => dev !== upstream && dev !== 'lo' && whole.contains(address)
        && !subnets.some((subnet) => subnet.value.contains(address)))
      if (beside.length > 0) open.push(`${beside.map(({ address, dev }) => `${dev} has ${address}`).join(', ')}, outside of ${parts.join(' and ')}: if the `
        + `router has ${whole} on its link, write that, with all of their links as downstream`)
    }
  } else if (kept.length === 0) open.push(`no global prefix is on-link at ${upstream}`)
  const links: Line[] = [{ text: `upstream   ${printIface(upstream)}` }]
  if (downstream.length > 0) {
    links.push({ text: `downstream ${joinNumbered(downstream, machine).map(printIface).join(' ')}`,
      ...guess !== undefined && guess.others.length > 0 && { why: `or: ${guess.others.join(', ')}` } })
  } else links.push({ text: '# downstream IFACE' })
  const options = ndppd?.proxies.find(({ iface }) => iface === upstream)?.settings
  if (options !== undefined) {
    // Host routes are not mentioned: a subnet sets them by default, as `autowire` does.
    const changed = printSettings(options, 'subnet', { ...DEFAULTS, routes: options.routes })
    links.push(...changed.map((text) => ({ text, why: 'from /etc/ndppd.conf' })))
  }
  const hosts = subnets.length === 0 ? [] : pinnedHosts(found, upstream, subnets, evidence, downstream)
  // Hosts form addresses by SLAAC only in a /64 (RFC 4862 5.5.3), and peers of tunnels mostly form none.
  const isTunnel = downstream.every((name) => machine.links.some((link) => link.ifname === name && isWithoutDiscovery(link)))
  const advertise = ({ length }: Prefix): Line[] => length === 64 && !isTunnel ? [ADVERTISE] : []
  if (isAuto) {
    const now = { text: `# the prefix of router advertisements, now ${subnets.map(({ value }) => value).join(' ')}` }
    blocks.push({ head: 'subnet auto', lines: [now, ...links, ...hosts, ...advertise(subnets[0].value)] })
  } else {
    for (const { value } of subnets) {
      blocks.push({ head: `subnet ${value}`, lines: [...links, ...hosts.filter(({ address }) => value.contains(address)), ...advertise(value)] })
    }
  }
  blocks.push(...kept.map(printKept), ...outside(found, subnets, downstream))
  return { blocks, roles, open }
}

/** `host` lines for owners that are known without a probe: gateways, hosts of proxy entries and of ndppd's rules, and peers of tunnels. */
function pinnedHosts(found: Findings, upstream: string, subnets: readonly OnLinkPrefix[], evidence: Downstreams,
  downstream: readonly string[]): (Line & { address: Address })[] {
  const { machine, entries, ndppd } = found
  const isInside = (address: Address): boolean => subnets.some(({ value }) => value.contains(address))
  const lines = new Map<string, Line & { address: Address }>()
  const add = (address: Address, iface: string | undefined, why: string): void => {
    const key = String(address)
    if (!isInside(address) || lines.has(key) || isOwn(found, address)) return
    lines.set(key, { address, text: `host ${address}${iface === undefined ? '' : ` ${printIface(iface)}`}`, why })
  }
  for (const { via } of defaultRoutes(machine, upstream)) if (via !== undefined) add(via, upstream, 'the default gateway')
  for (const { address, dev, origin } of entries) {
    const route = routeTo(machine, address)?.dev
    const neighbor = machine.neighbors.find((each) => each.address.equals(address))?.dev
    const inside = [route, neighbor].find((link) => link !== undefined && downstream.includes(link))
    const owner = dev !== upstream ? upstream : inside ?? (downstream.length === 1 ? downstream[0] : undefined)
    add(address, owner, origin === undefined ? `from: ip -6 neigh add proxy ${address} dev ${dev}` : `from: ${origin}`)
  }
  for (const { iface, rules } of ndppd?.proxies ?? []) {
    for (const rule of rules) {
      if (rule.kind !== 'iface' || rule.prefix.length < 128 || iface !== upstream || rule.ifaces.length > 1) continue
      if (downstream.includes(rule.ifaces[0])) add(rule.prefix.address, rule.ifaces[0], 'from: /etc/ndppd.conf')
    }
  }
  const silent = machine.links.filter(isWithoutDiscovery).map(({ ifname }) => ifname)
  for (const { prefix, dev, type, protocol } of machine.routes) {
    // A route of ndp6d itself leads to a peer that answers probes, so the peer needs no `host` line.
    if (['136', 'ndp6d'].includes(protocol)) continue
    if (prefix.length === 128 && type === 'unicast' && dev !== undefined && evidence.has(dev) && silent.includes(dev)) {
      add(prefix.address, dev, `route to ${dev}, where a peer may answer no probe`)
    }
  }
  return [...lines.values()]
}

function isOwn({ machine }: Findings, address: Address): boolean { return machine.addresses.some((own) => own.address.equals(address)) }

/** A `proxy` block with the rules that no subnet replaces. */
interface Kept {
  readonly proxy: Proxy
  readonly rules: readonly Rule[]
  readonly why: string
}

/** Rules of ndppd that no subnet replaces, and `static` rules for prefixes that this machine uses itself. */
function keptRules(found: Findings, upstream: string, prefixes: readonly OnLinkPrefix[]): Kept[] {
  const { machine, ndppd } = found
  const kept: Kept[] = []
  for (const proxy of ndppd?.proxies ?? []) {
    const rules = proxy.rules.filter((rule) => {
      const meets = prefixes.filter(({ value }) => covers(value, rule.prefix) || covers(rule.prefix, value))
      if (rule.kind === 'iface') return meets.length === 0 || !(proxy.iface === upstream || rule.ifaces.includes(upstream))
      return rule.kind === 'static' || meets.every(({ value }) => downstreamsOf(found, upstream, value).size === 0)
    })
    if (rules.length > 0) kept.push({ proxy, rules, why: 'from /etc/ndppd.conf' })
  }
  const local = machine.routes.filter(({ type, prefix }) => type === 'local' && isProxied(prefix)).map(({ prefix }) => prefix)
    .filter((prefix) => !kept.some(({ rules }) => rules.some((rule) => covers(rule.prefix, prefix))))
  if (local.length > 0) {
    const proxy: Proxy = { iface: upstream, settings: { ...DEFAULTS, router: false }, rules: [] }
    const why = 'a local route: this machine uses the whole prefix itself'
    kept.push({ proxy, why, rules: local.map((prefix) => ({ kind: 'static', prefix })) })
  }
  return kept
}

function printKept({ proxy: { iface, settings }, rules, why }: Kept): Block {
  return { head: `proxy ${printIface(iface)}`,
    lines: [...printSettings(settings, 'proxy', DEFAULTS).map((text) => ({ text })), ...rules.map((rule) => ({ text: printRule(rule), why }))] }
}

/** Rules for proxy entries that are in no subnet. */
function outside(found: Findings, subnets: readonly OnLinkPrefix[], downstream: readonly string[]): Block[] {
  const blocks = new Map<string, Line[]>()
  const seen = new Set<string>()
  for (const { address, dev, origin } of found.entries) {
    const key = `${address} ${dev}`
    if (seen.has(key) || subnets.some(({ value }) => value.contains(address)) || isCovered(found, dev, address)) continue
    seen.add(key)
    const link = routeTo(found.machine, address)?.dev
    const prefix = new Prefix(address, 128)
    const ifaces = link !== undefined && link !== dev ? [link] : downstream.includes(dev) ? [] : downstream
    const rule: Rule = isOwn(found, address) ? { kind: 'static', prefix }
      : ifaces.length > 0 ? { kind: 'iface', prefix, ifaces, autovia: false } : { kind: 'auto', prefix }
    const why = origin === undefined ? `from: ip -6 neigh add proxy ${address} dev ${dev}` : `from: ${origin}`
    blocks.set(dev, [...blocks.get(dev) ?? [], { text: printRule(rule), why }])
  }
  return [...blocks].map(([dev, lines]) => ({ head: `proxy ${printIface(dev)}`, lines }))
}

/** @returns whether a rule of /etc/ndppd.conf answers for an address */
function isCovered({ ndppd }: Findings, dev: string, address: Address): boolean {
  return ndppd?.proxies.some(({ iface, rules }) => matchesIface(iface, dev) && rules.some(({ prefix }) => prefix.contains(address))) ?? false
}
