/** Reads `nft -j list ruleset` (libnftables-json(5)). */
import { matchesIface } from '../config/config.ts'
import { both, type Chain, not, type Packet, type Rule, type Truth, type Verdict } from './firewall-chains.ts'

export interface Ruleset {
  readonly chains: readonly Chain[]
  /** Some rules were made by ip6tables-nft: nft shows the names of their matches, without parameters. */
  readonly hasExtensions: boolean
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type Fields = Readonly<Record<string, Json>>

/** Families whose chains see IPv6 packets. */
const FAMILIES = ['ip6', 'inet', 'bridge', 'netdev']
/** The table of ndp6d itself, which drops the solicitations that ndp6d answers. */
const OWN = 'ndp6d'
const ICMPV6 = 58, HOP_BY_HOP = 0

/** Names that rules may use instead of numbers: of ICMPv6 types and codes, and of protocols. */
const NUMBERS: Readonly<Record<string, number>> = {
  'mld-listener-query': 130, 'mld-listener-report': 131, 'mld-listener-done': 132, 'mld-listener-reduction': 132, 'nd-router-solicit': 133,
  'nd-router-advert': 134, 'nd-neighbor-solicit': 135, 'nd-neighbor-advert': 136, 'nd-redirect': 137, 'mld2-listener-report': 143,
  'ipv6-icmp': ICMPV6, icmpv6: ICMPV6, hopopt: HOP_BY_HOP, 'no-route': 0,
}

/** @throws Error for text that is not the output of nft */
export function parseRuleset(text: string): Ruleset {
  const items = (JSON.parse(text) as { nftables: readonly Fields[] }).nftables
  const sets = new Map<string, Json>()
  const chains = new Map<string, { fields: Fields; rules: Rule[]; isExtended: boolean }>()
  const keyOf = (fields: Fields, name: Json): string => JSON.stringify([fields.family, fields.table, name])
  let hasExtensions = false
  for (const item of items) {
    const [[kind, value]] = Object.entries(item)
    const fields = value as Fields
    if (kind === 'set' || kind === 'map') sets.set(keyOf(fields, fields.name), fields.elem ?? [])
    if (!FAMILIES.includes(String(fields.family)) || fields.table === OWN) continue
    if (kind === 'chain') chains.set(keyOf(fields, fields.name), { fields, rules: [], isExtended: false })
    if (kind !== 'rule') continue
    const chain = chains.get(keyOf(fields, fields.chain))
    const statements = (fields.expr ?? []) as readonly Fields[]
    if (chain === undefined) continue
    chain.rules.push(ruleOf(statements, (name) => sets.get(keyOf(fields, name))))
    if (statements.some((statement) => 'xt' in statement)) hasExtensions = chain.isExtended = true
  }
  // If one rule of a table is by ip6tables-nft, all chains of the table count as extended: ip6tables-save shows the whole table.
  const tableOf = ({ family, table }: Fields): string => JSON.stringify([family, table])
  const extended = new Set([...chains.values()].filter(({ isExtended }) => isExtended).map(({ fields }) => tableOf(fields)))
  return { hasExtensions, chains: [...chains.values()].map(({ fields, rules }): Chain => {
    const { family, table, name, hook, policy, dev } = fields
    return { family: String(family), table: String(table), name: String(name), rules, hook: hook === undefined ? undefined : String(hook),
      policy: policy === 'drop' ? 'drop' : 'accept', isExtended: extended.has(tableOf(fields)),
      // Some versions of nft do not show the links of a chain. The chain then counts for no link.
      ...['ingress', 'egress'].includes(String(hook)) && { device: dev === undefined ? [] : [dev].flat().map(String) } }
  }) }
}

type FindSet = (name: string) => Json | undefined

function ruleOf(statements: readonly Fields[], find: FindSet): Rule {
  return (packet) => {
    let truth: Truth = true
    for (const statement of statements) {
      const [[kind, value]] = Object.entries(statement)
      const verdict = verdictOf(kind, value)
      if (verdict !== undefined) return { truth, verdict }
      if (kind === 'match') truth = both(truth, matches(value as Fields, packet, find))
      else if (kind === 'vmap') return lookUp(value as Fields, packet, find, truth)
      else if (!['counter', 'log', 'notrack', 'mangle', 'comment', 'set'].includes(kind)) truth = both(truth, undefined)
      if (truth === false) return { truth }
    }
    return { truth }
  }
}

function verdictOf(kind: string, value: Json): Verdict | undefined {
  switch (kind) {
    case 'accept': case 'queue': return 'accept'
    case 'drop': case 'reject': return 'drop'
    case 'return': return 'return'
    case 'jump': return { jump: String((value as Fields).target) }
    case 'goto': return { goto: String((value as Fields).target) }
    default: return undefined
  }
}

/**
 * Looks up the packet in a verdict map.
 * @param before whether the packet matches the part of the rule before the map
 * @returns whether the packet matches the rule, and the verdict of the first map element that may match
 */
function lookUp({ key, data }: Fields, packet: Packet, find: FindSet, before: Truth): ReturnType<Rule> {
  const value = valueOf(key, packet)
  for (const element of elementsOf(data, find)) {
    const [left, verdict] = element as [Json, Fields]
    const truth = value === undefined ? undefined : isIn(value, left, find)
    const [[kind, target]] = Object.entries(verdict ?? { none: null })
    if (truth !== false) return { truth: both(before, truth), verdict: verdictOf(kind, target) }
  }
  return { truth: false }
}

function matches({ op, left, right }: Fields, packet: Packet, find: FindSet): Truth {
  const value = valueOf(left, packet)
  if (value === undefined) return undefined
  if (value === 'other') return false
  if (op === '==' || op === 'in') return isIn(value, right, find)
  if (op === '!=') return not(isIn(value, right, find))
  const limit = numberOf(right)
  if (typeof value !== 'number' || limit === undefined) return undefined
  return op === '<' ? value < limit : op === '>' ? value > limit : op === '<=' ? value <= limit : op === '>=' ? value >= limit : undefined
}

/** @returns the value that an expression has for the packet; `other`: it is about another protocol; undefined: unknown */
function valueOf(expression: Json, packet: Packet): string | number | undefined {
  const { meta, payload, ct } = expression as Record<string, Fields | undefined>
  if (meta !== undefined) {
    switch (meta.key) {
      case 'l4proto': return ICMPV6
      case 'nfproto': return 'ipv6'
      case 'protocol': return 'ip6'
      case 'iif': case 'iifname': return packet.in
      case 'oif': case 'oifname': return packet.out
      default: return undefined
    }
  }
  // ND and MLD messages are untracked, except Redirects (nf_conntrack_proto_icmpv6.c). Here Redirects count as untracked as well.
  if (ct !== undefined) return ct.key === 'state' ? 'untracked' : undefined
  if (payload === undefined || payload.protocol === undefined) return undefined
  switch (`${String(payload.protocol)} ${String(payload.field)}`) {
    case 'icmpv6 type': return packet.type
    case 'icmpv6 code': return 0
    case 'ip6 hoplimit': return packet.hopLimit
    case 'ip6 version': return 6
    // MLD messages have a Hop-by-Hop Options header (RFC 3810 5).
    case 'ip6 nexthdr': return packet.hopLimit === 1 ? HOP_BY_HOP : ICMPV6
    case 'ether type': return 'ip6'
    default: return ['ip6', 'ether', 'icmpv6', 'th', 'vlan'].includes(String(payload.protocol)) ? undefined : 'other'
  }
}

function elementsOf(right: Json, find: FindSet): readonly Json[] {
  if (typeof right === 'string' && right.startsWith('@')) return [find(right.slice(1)) ?? []].flat()
  const { set } = (right ?? {}) as Record<string, Json>
  return [set ?? right].flat()
}

/** @returns whether a value equals the right side of a match, or is in it if the right side is a set, a range or a list */
function isIn(value: string | number, right: Json, find: FindSet): Truth {
  let found: Truth = false
  for (const each of elementsOf(right, find)) {
    const element = ((each as { elem?: { val: Json } } | null)?.elem?.val ?? each) as Json
    const truth = isElement(value, element)
    if (truth === true) return true
    if (truth === undefined) found = undefined
  }
  return found
}

function isElement(value: string | number, element: Json): Truth {
  const { range } = (element ?? {}) as { range?: readonly Json[] }
  if (range !== undefined) {
    const [from, to] = range.map(numberOf)
    return typeof value === 'number' && from !== undefined && to !== undefined ? value >= from && value <= to : undefined
  }
  // A name that is not in NUMBERS stands for another number than `value`: NUMBERS has the names of all values that these packets have.
  if (typeof value === 'number') return typeof element === 'object' ? undefined : numberOf(element) === value
  return typeof element === 'string' ? matchesIface(element, value) || (element === 'ipv6' && value === 'ip6') : undefined
}

function numberOf(value: Json): number | undefined {
  if (typeof value === 'number') return value
  return typeof value === 'string' ? NUMBERS[value] : undefined
}
