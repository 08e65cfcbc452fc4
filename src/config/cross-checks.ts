/**
 * Checks between the blocks of a configuration: duplicates, overlaps, rules without effect, and addresses that look mistyped. The time
 * is linear in the size of the configuration.
 */
import type { Prefix } from '../address.ts'
import { matchesIface, type Rule, type Settings, type Subnet } from './config.ts'
import { type Report, whereIs } from './diagnostic.ts'
import type { Placed, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { laterColons, nearAddress } from './suggest.ts'

/** The most addresses per run for which a correction is searched, so that generated files are checked in linear time. */
const MAX_SUGGESTIONS = 10_000

/** A rule of a `proxy` block, with the link and the settings of the block. */
export interface PlacedRule {
  readonly rule: Rule
  readonly word: Word
  readonly iface: string
  readonly settings: Settings
}

/** Reports all overlaps. @param rules the rules of all `proxy` blocks, in file order */
export function checkOverlaps(rules: readonly PlacedRule[], subnets: readonly Placed<Subnet>[], report: Report): void {
  reportHidden(rules, report)
  reportFacing(rules, report)
  reportInSubnets(rules, subnets, report)
}

/** Rules by key and prefix. Of rules with equal key and prefix, the first in file order is kept. */
class RuleMap {
  readonly #maps = new Map<string, PrefixMap<PlacedRule>>()

  add(key: string, each: PlacedRule): void {
    let map = this.#maps.get(key)
    if (map === undefined) this.#maps.set(key, map = new PrefixMap())
    if (map.get(each.rule.prefix) === undefined) map.set(each.rule.prefix, each)
  }

  /** @returns the rule with the longest prefix that contains all of `prefix` */
  covering(key: string, { address, length }: Prefix): PlacedRule | undefined { return this.#maps.get(key)?.covering(address, length + 1) }
}

/** Reports rules that no solicitation reaches, because of a `static` rule or of an earlier rule of the same link. */
function reportHidden(rules: readonly PlacedRule[], report: Report): void {
  const fixed = new RuleMap()
  const alike = new RuleMap()
  const options = new Map<Settings, string>()
  for (const { settings } of rules) if (!options.has(settings)) options.set(settings, JSON.stringify(settings))
  /** One key for each link of an `iface` rule, and one key for any other rule. Rules with equal keys treat an address in the same way. */
  const keysOf = ({ rule, iface, settings }: PlacedRule): string[] => {
    const methods = rule.kind === 'iface' ? rule.ifaces.map((name) => `iface ${rule.autovia} ${name}`) : [rule.kind]
    return methods.map((method) => `${iface} ${method} ${options.get(settings)}`)
  }
  for (const each of rules) if (each.rule.kind === 'static') fixed.add(each.iface, each)
  for (const each of rules) {
    const { rule: { kind, prefix }, word, settings } = each
    // With `autowire`, an `iface` rule has an effect although a `static` rule answers: the `iface` rule keeps host routes.
    const answering = kind === 'static' || (kind === 'iface' && settings.routes) ? undefined : fixed.covering(each.iface, prefix)
    if (answering !== undefined) {
      report.warning(word, 'unreached', `this rule is never reached: \`static\` of ${whereIs(answering.word, word)} answers for all of `
        + `${answering.rule.prefix} without a probe`, 'delete one of the two rules')
      continue
    }
    // A rule for one address has an effect of its own: the solicited-node group of the address is joined permanently.
    if (prefix.length === 128) continue
    const keys = keysOf(each)
    const wider = keys.map((key) => alike.covering(key, prefix))
    for (const key of keys) alike.add(key, each)
    if (wider.includes(undefined)) continue
    report.warning(word, 'unreached',
      `this rule is never reached: the rule for ${wider[0]!.rule.prefix} of ${whereIs(wider[0]!.word, word)} does the same`,
      'delete it')
  }
}

/** Reports two `proxy` blocks whose rules lead to each other's link: one `subnet` block does the same. */
function reportFacing(rules: readonly PlacedRule[], report: Report): void {
  const leading = new RuleMap()
  for (const each of rules) if (each.rule.kind === 'iface') for (const name of each.rule.ifaces) leading.add(`${each.iface} ${name}`, each)
  for (const each of rules) {
    if (each.rule.kind !== 'iface') continue
    for (const name of each.rule.ifaces) {
      const other = name === each.iface ? undefined : leading.covering(`${name} ${each.iface}`, each.rule.prefix)
      if (other === undefined || !report.first(`facing ${[name, each.iface].sort().join(' ')}`)) continue
      const { prefix } = other.rule
      if (prefix.length === 128) continue
      report.warning(each.word, 'two-rules-one-subnet',
        `this rule and the one of ${whereIs(other.word, each.word)} join ${each.iface} and ${name} in both directions: `
        + 'they are one subnet', `write \`subnet ${prefix}\` with these links as \`upstream\` and \`downstream\`: it also learns hosts and `
        + 'maintains the routes to them')
    }
  }
}

/** Reports rules that overlap a subnet on one of its links. Where both apply, the engine uses the options of the `proxy` block. */
function reportInSubnets(rules: readonly PlacedRule[], subnets: readonly Placed<Subnet>[], report: Report): void {
  const byLink = new RuleMap()
  for (const each of rules) byLink.add(each.iface, each)
  const fixed = new PrefixMap<{ subnet: Subnet; word: Word; names: ReadonlySet<string>; patterns: readonly string[] }>()
  for (const { value: subnet, word } of subnets) {
    const { prefix } = subnet
    const names = new Set([subnet.upstream, ...subnet.downstream])
    if (prefix === 'auto') continue
    fixed.set(prefix, { subnet, word, names, patterns: subnet.downstream.filter((name) => name.includes('*')) })
    for (const name of names) {
      const around = byLink.covering(name, prefix)
      if (around !== undefined && around.rule.prefix.length < prefix.length) reportOverlap(around, subnet, word, report)
    }
  }
  for (const each of rules) {
    const { prefix: { address, length } } = each.rule
    const outer = fixed.covering(address, length + 1)
    if (outer === undefined) continue
    const { names, patterns, subnet, word } = outer
    if (names.has(each.iface) || patterns.some((pattern) => matchesIface(pattern, each.iface))) reportOverlap(each, subnet, word, report)
  }
}

function reportOverlap({ rule, iface, word }: PlacedRule, { prefix }: Subnet, subnetWord: Word, report: Report): void {
  report.warning(word, 'overlap',
    `${rule.prefix} overlaps subnet ${prefix} of ${whereIs(subnetWord, word)}, to which \`${iface}\` belongs: where both `
    + 'apply, the options of this `proxy` block are used, not those of the subnet',
    rule.kind === 'auto' ? 'delete the rule, unless the kernel routes the prefix via a router behind this machine, such as a virtual machine'
      : 'delete the rule, or name its links in the subnet')
}

/**
 * Reports overlapping subnets, and rules for a single address with a misplaced `::` (`2001::db8:2` beside `2001:db8::/64`).
 * Overlaps of an `auto` subnet are not found, because its prefixes are not known here.
 */
export function checkAddresses(rules: readonly Placed<Prefix>[], subnets: readonly Placed<Subnet>[], report: Report): void {
  const first = new Map<string, Word>()
  const fixed = new PrefixMap<{ prefix: Prefix; word: Word; excluded: PrefixMap<Prefix> }>()
  const wide = new PrefixMap<Prefix>()
  for (const { value: { prefix, upstream, exclude }, word } of subnets) {
    const [name, unit] = prefix === 'auto' ? [`auto with upstream ${upstream}`, 'upstream'] : [String(prefix), 'prefix']
    const other = first.get(name)
    if (other !== undefined) {
      report.error(word, 'duplicate', `duplicate subnet ${name}, first at ${whereIs(other, word)}: expected one block per ${unit}`,
        'write all downstream links in one block')
      continue
    }
    first.set(name, word)
    if (prefix === 'auto') continue
    fixed.set(prefix, { prefix, word, excluded: PrefixMap.of(exclude) })
    wide.set(prefix, prefix)
  }
  for (const { value: { prefix }, word } of subnets) {
    const outer = prefix === 'auto' ? undefined : fixed.covering(prefix.address, prefix.length)
    if (prefix === 'auto' || outer === undefined || outer.excluded.covering(prefix.address, prefix.length + 1) !== undefined) continue
    report.warning(word, 'overlap',
      `subnet ${prefix} is inside ${outer.prefix} of ${whereIs(outer.word, word)}: expected subnets that do not overlap`,
      `write \`exclude ${prefix}\` in the outer subnet`)
  }
  let suggestions = MAX_SUGGESTIONS
  for (const { value } of rules) if (value.length < 128) wide.set(value, value)
  for (const { value: { address, length }, word } of rules) {
    if (length < 128 || wide.covering(address) !== undefined || !word.text.includes('::') || suggestions === 0) continue
    suggestions--
    const meant = nearAddress(word.text.split('/')[0], (a) => wide.covering(a) !== undefined, laterColons)
    if (meant === undefined) continue
    report.warning(word, 'suspicious-address',
      `${address} is in no other prefix of this configuration`, `did you mean \`${meant}\`, in ${wide.covering(meant)}?`)
  }
}
