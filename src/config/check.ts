/** Checks between the blocks of a configuration, in time linear in its size. */
import type { Prefix } from '../address.ts'
import type { Subnet } from './config.ts'
import type { Report } from './diagnostic.ts'
import { whereIs } from './diagnostic.ts'
import type { Placed, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { laterColons, nearAddress } from './suggest.ts'

/** Limit of addresses with a suggestion per run, so that generated files are checked in linear time. */
const MAX_SUGGESTIONS = 10_000
const ONE_BLOCK = 'write all downstream links in one block'

type Fixed = Subnet & { readonly prefix: Prefix }

function isFixed(entry: Placed<Subnet>): entry is Placed<Fixed> {
  return entry.value.prefix !== 'auto'
}

/**
 * Reports overlapping subnets, and rules for one address with a misplaced `::` (`2001::db8:2` beside `2001:db8::/64`).
 * The prefixes of an `auto` subnet are not known here.
 */
export function checkAddresses(rules: readonly Placed<Prefix>[], subnets: readonly Placed<Subnet>[], report: Report): void {
  checkAuto(subnets, report)
  const fixed = subnets.filter(isFixed)
  const bySubnet = new PrefixMap<Placed<Fixed>>()
  const wide = new PrefixMap<Prefix>()
  for (const entry of fixed) {
    const { value: { prefix }, word } = entry
    const other = bySubnet.get(prefix)
    if (other === undefined) bySubnet.set(prefix, entry)
    else {
      report.error(word, `duplicate subnet ${prefix}, first at ${whereIs(other.word, word)}: expected one block per prefix`, ONE_BLOCK)
    }
    wide.set(prefix, prefix)
  }
  const exclusions = new Map<Placed<Subnet>, PrefixMap<Prefix>>()
  for (const { value: { prefix }, word } of fixed) {
    const outer = bySubnet.covering(prefix.address, prefix.length)
    if (outer === undefined || isExcluded(prefix, outer, exclusions)) continue
    report.warning(word, `subnet ${prefix} is inside ${outer.value.prefix} of ${whereIs(outer.word, word)}: `
      + 'expected subnets that do not overlap', `write \`exclude ${prefix}\` in the outer subnet`)
  }
  let suggestions = MAX_SUGGESTIONS
  for (const { value } of rules) if (value.length < 128) wide.set(value, value)
  for (const { value: { address, length }, word } of rules) {
    if (length < 128 || wide.covering(address) !== undefined || !word.text.includes('::') || suggestions === 0) continue
    suggestions--
    const meant = nearAddress(word.text.split('/')[0], (a) => wide.covering(a) !== undefined, laterColons)
    if (meant === undefined) continue
    report.warning(word, `${address} is in no other prefix of this configuration`,
      `did you mean \`${meant}\`, in ${wide.covering(meant)}?`)
  }
}

function checkAuto(subnets: readonly Placed<Subnet>[], report: Report): void {
  const byUpstream = new Map<string, Word>()
  for (const { value: { prefix, upstream }, word } of subnets) {
    if (prefix !== 'auto') continue
    const other = byUpstream.get(upstream)
    if (other === undefined) byUpstream.set(upstream, word)
    else {
      report.error(word, `duplicate subnet auto with upstream ${upstream}, first at ${whereIs(other, word)}: `
        + 'expected one block per upstream', ONE_BLOCK)
    }
  }
}

/**
 * Returns whether `outer` excludes all of `inner`.
 * @param exclusions the excluded prefixes of each subnet, filled on demand
 */
function isExcluded(inner: Prefix, outer: Placed<Subnet>, exclusions: Map<Placed<Subnet>, PrefixMap<Prefix>>): boolean {
  let excluded = exclusions.get(outer)
  if (excluded === undefined) {
    exclusions.set(outer, excluded = new PrefixMap())
    for (const part of outer.value.exclude) excluded.set(part, part)
  }
  return excluded.covering(inner.address, inner.length + 1) !== undefined
}
