/**
 * What must hold between the blocks of a configuration. In time linear in its size.
 */
import type { Prefix } from '../address.ts'
import type { Subnet } from './config.ts'
import type { Report } from './diagnostic.ts'
import { whereIs } from './diagnostic.ts'
import type { Placed, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { laterColons, nearAddress } from './suggest.ts'

/** Addresses that a guess is made for: enough for files written by hand, and bounded for the others. */
const MAX_GUESSES = 10_000
const ONE_BLOCK = 'one block can have several downstream links'

type Fixed = Subnet & { readonly prefix: Prefix }

function isFixed(entry: Placed<Subnet>): entry is Placed<Fixed> {
  return entry.value.prefix !== 'auto'
}

/**
 * Checks across blocks: subnets that overlap, and rules for one address that lies in no prefix of the file but would
 * with its `::` elsewhere (`2001::db8:2` beside `2001:db8::/64`). What an `auto` subnet holds is not known here.
 */
export function checkAddresses(
  rules: readonly Placed<Prefix>[], subnets: readonly Placed<Subnet>[], report: Report): void {
  checkAuto(subnets, report)
  const fixed = subnets.filter(isFixed)
  const bySubnet = new PrefixMap<Placed<Fixed>>()
  const wide = new PrefixMap<Prefix>()
  for (const entry of fixed) {
    const { value: { prefix }, word } = entry
    const other = bySubnet.get(prefix)
    if (other === undefined) bySubnet.set(prefix, entry)
    else {
      const place = whereIs(other.word, word)
      report.error(word, `subnet ${prefix} is there already at ${place}: expected one block for it`, ONE_BLOCK)
    }
    wide.set(prefix, prefix)
  }
  const holes = new Map<Placed<Subnet>, PrefixMap<Prefix>>()
  for (const { value: { prefix }, word } of fixed) {
    const outer = bySubnet.covering(prefix.address, prefix.length)
    if (outer === undefined || isExcluded(prefix, outer, holes)) continue
    report.warning(word, `subnet ${prefix} lies inside ${outer.value.prefix} of ${whereIs(outer.word, word)}: `
      + 'expected subnets that do not overlap', `add \`exclude ${prefix}\` to the outer one`)
  }
  let guesses = MAX_GUESSES
  for (const { value } of rules) if (value.length < 128) wide.set(value, value)
  for (const { value: { address, length }, word } of rules) {
    if (length < 128 || wide.covering(address) !== undefined || !word.text.includes('::') || guesses === 0) continue
    guesses--
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
      report.error(word, `subnet auto with upstream ${upstream} is there already at ${whereIs(other, word)}: `
        + 'expected one block for it', ONE_BLOCK)
    }
  }
}

/** @param holes what is excluded of each subnet that was asked about */
function isExcluded(inner: Prefix, outer: Placed<Subnet>, holes: Map<Placed<Subnet>, PrefixMap<Prefix>>): boolean {
  let excluded = holes.get(outer)
  if (excluded === undefined) {
    holes.set(outer, excluded = new PrefixMap())
    for (const part of outer.value.exclude) excluded.set(part, part)
  }
  return excluded.covering(inner.address, inner.length + 1) !== undefined
}
