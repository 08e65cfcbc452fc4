/** Checks between the blocks of a configuration, in time linear in its size. */
import type { Prefix } from '../address.ts'
import type { Subnet } from './config.ts'
import { type Report, whereIs } from './diagnostic.ts'
import type { Placed, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { laterColons, nearAddress } from './suggest.ts'

/** The most addresses per run for which a correction is searched, so that generated files are checked in linear time. */
const MAX_SUGGESTIONS = 10_000

/**
 * Reports overlapping subnets, and rules for a single address with a misplaced `::` (`2001::db8:2` beside `2001:db8::/64`).
 * The prefixes of an `auto` subnet are not known here.
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
