/**
 * What must hold between the blocks of a configuration. In time linear in its size.
 */
import type { Prefix } from '../address.ts'
import type { Subnet } from './config.ts'
import type { Report } from './diagnostic.ts'
import { whereIs } from './diagnostic.ts'
import type { Placed } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { laterColons, nearAddress } from './suggest.ts'

/** Addresses that a guess is made for: enough for files written by hand, and bounded for the others. */
const MAX_GUESSES = 10_000

/**
 * Checks across blocks: subnets that overlap, and rules for one address that lies in no prefix of the file but would
 * with its `::` elsewhere (`2001::db8:2` beside `2001:db8::/64`).
 */
export function checkAddresses(
  rules: readonly Placed<Prefix>[], subnets: readonly Placed<Subnet>[], report: Report): void {
  const bySubnet = new PrefixMap<Placed<Subnet>>()
  const wide = new PrefixMap<Prefix>()
  for (const entry of subnets) {
    const { value: { prefix }, word } = entry
    const other = bySubnet.get(prefix)
    if (other === undefined) bySubnet.set(prefix, entry)
    else {
      report.error(word, `subnet ${prefix} is there already at ${whereIs(other.word, word)}: expected one block for it`,
        'one block can have several downstream links')
    }
    wide.set(prefix, prefix)
  }
  const holes = new Map<Placed<Subnet>, PrefixMap<Prefix>>()
  for (const { value: { prefix }, word } of subnets) {
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

/** @param holes what is excluded of each subnet that was asked about */
function isExcluded(inner: Prefix, outer: Placed<Subnet>, holes: Map<Placed<Subnet>, PrefixMap<Prefix>>): boolean {
  let excluded = holes.get(outer)
  if (excluded === undefined) {
    holes.set(outer, excluded = new PrefixMap())
    for (const part of outer.value.exclude) excluded.set(part, part)
  }
  return excluded.covering(inner.address, inner.length + 1) !== undefined
}
