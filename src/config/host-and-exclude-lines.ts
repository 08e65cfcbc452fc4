/** Reads the statements `host` and `exclude` of a `subnet` block and checks them against the prefix and the links, in linear time. */
import { type Address, Prefix } from '../address.ts'
import { matchesIface, type PinnedHost } from './config.ts'
import { quote, whereIs } from './diagnostic.ts'
import type { Placed, Statement, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { nearest } from './suggest.ts'
import type { Reader } from './values.ts'

/** @returns the excluded prefixes; those outside of `prefix` are reported */
export function readExcluded(prefix: Prefix | 'auto', statements: readonly Statement[], reader: Reader): Set<Prefix> {
  const { report } = reader
  const excluded = new Set<Prefix>()
  for (const word of statements.flatMap(({ values }) => values)) {
    const found = reader.prefix(word)
    if (found === undefined) continue
    if (prefix === 'auto') checkGlobal(found.address, word, reader)
    else if (!prefix.contains(found.address) || found.length < prefix.length) {
      const [text, length] = word.text.split('/')
      const meant = found.length < prefix.length ? undefined : reader.suggest(text, (a) => prefix.contains(a))
      report.error(word, 'outside-subnet', `${quote(word.text)} is not inside ${prefix}: expected a prefix inside the subnet`,
        didYouMean(meant && (length === undefined ? meant : `${meant}/${length}`)))
    } else if (found.length === prefix.length) {
      report.warning(word, 'no-effect', `this excludes all of ${prefix}: the subnet answers for no address`)
    }
    excluded.add(found)
    reader.places.part(found, word)
  }
  return excluded
}

/**
 * @param links upstream and downstream; undefined if one of them is missing or wrong
 * @returns the hosts of the `host` lines, without those that are reported as errors
 */
export function readHosts(prefix: Prefix | 'auto', statements: readonly Statement[], links: readonly string[] | undefined,
  exclude: Iterable<Prefix>, reader: Reader): PinnedHost[] {
  const { report } = reader
  const hosts: PinnedHost[] = []
  const excluded = PrefixMap.of(exclude)
  const pinned = new PrefixMap<Placed<PinnedHost>>()
  const named = new Set(links)
  const patterns = links?.filter((link) => link.includes('*')) ?? []
  for (const { values: [word, link, ...more] } of statements) {
    if (word === undefined) continue
    for (const extra of more) report.error(extra, 'unexpected-word', `unexpected ${quote(extra.text)}: expected \`host ADDRESS [IFACE]\``)
    const address = reader.address(word)
    const iface = link && reader.iface(link, false)
    if (link !== undefined && iface !== undefined && links !== undefined && !named.has(iface)) {
      if (patterns.some((pattern) => matchesIface(pattern, iface))) named.add(iface)
      else {
        const some = links.slice(0, 16)
        report.error(link, 'not-a-link',
          `\`${iface}\` is not a link of this subnet: expected ${some.join(', ')}`, didYouMean(nearest(iface, some)))
      }
    }
    if (address === undefined || (link !== undefined && iface === undefined)) continue
    if (prefix === 'auto') {
      if (!checkGlobal(address, word, reader)) continue
    } else if (!prefix.contains(address)) {
      const meant = reader.suggest(word.text.split('/')[0], (a) => prefix.contains(a))
      report.error(word, 'outside-subnet', `${address} is not inside ${prefix}: expected an address of the subnet`, didYouMean(meant))
      continue
    }
    const single = new Prefix(address, 128)
    const before = pinned.get(single)
    if (before !== undefined) {
      const duplicate = `duplicate host ${address}, first at ${whereIs(before.word, word)}`
      const { iface: other } = before.value
      if (other === iface) report.warning(word, 'duplicate', duplicate)
      else report.error(word, 'duplicate',
        `${duplicate}${other === undefined ? ' without a link' : `, on ${other}`}: expected one link per host`)
      continue
    }
    if (excluded.covering(address) !== undefined) {
      report.warning(word, 'no-effect', `${address} is excluded by ${excluded.covering(address)}: solicitations for it are not answered`)
    } else if (prefix !== 'auto' && prefix.length <= 64 && (address.w2 | address.w3) === 0) {
      report.warning(word, 'no-effect',
        `${address} is the subnet-router anycast address (RFC 4291 2.6.1): solicitations for it are not answered`)
    }
    pinned.set(single, { value: { address, iface }, word })
    const host = { address, iface }
    reader.places.part(host, word)
    hosts.push(host)
  }
  return hosts
}

/** Reports an address that cannot be in a `subnet auto`, whose prefixes are not known yet. @returns false if it reported the address */
function checkGlobal(address: Address, word: Word, { report }: Reader): boolean {
  if (!address.isGlobal) report.error(word, 'bad-address',
    `${quote(word.text)} cannot be in a subnet: expected a global or unique local address`)
  return address.isGlobal
}

function didYouMean(text: { toString(): string } | undefined): string | undefined { return text && `did you mean \`${text}\`?` }
