/**
 * What a `subnet` block says about links and hosts, and what must hold between its statements. In linear time.
 */
import type { Address } from '../address.ts'
import { Prefix } from '../address.ts'
import type { PinnedHost, Subnet } from './config.ts'
import { matchesIface } from './config.ts'
import { reportMissing } from './contents.ts'
import { quote, whereIs } from './diagnostic.ts'
import type { Placed, Statement, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { nearest } from './suggest.ts'
import type { Reader } from './values.ts'

type Body = Omit<Subnet, 'settings'>

/**
 * The subnet that the `statements` of one block describe; undefined when `prefix` is, or a link is missing.
 * @param word where the prefix stands
 */
export function readSubnet(
  prefix: Prefix | 'auto' | undefined, word: Word, statements: readonly Statement[], reader: Reader): Body | undefined {
  const { report } = reader
  const of = (key: string): Statement[] => statements.filter((statement) => statement.key.text === key)
  for (const statement of statements) {
    if (statement.values.length === 0) reportMissing(statement, VALUES[statement.key.text], reader)
  }
  const upstream = readUpstream(word, of('upstream'), reader)
  const downstream = readDownstream(word, of('downstream'), upstream, reader)
  if (prefix === undefined) return undefined
  if (prefix !== 'auto' && (prefix.address.isLinkLocal || prefix.address.isMulticast)) {
    report.error(word, `${prefix} is link-local or multicast: expected a global or unique local prefix`)
  }
  const exclude = readExcluded(prefix, of('exclude'), reader)
  const links = upstream === undefined || downstream.length === 0 ? undefined : [upstream, ...downstream]
  const hosts = readHosts(prefix, of('host'), links, exclude, reader)
  if (upstream === undefined) return undefined
  return { prefix, upstream, downstream, hosts, exclude: [...exclude] }
}

const VALUES: Readonly<Record<string, string>> = {
  upstream: 'one interface', downstream: 'one or more interfaces', host: 'ADDRESS [IFACE]', exclude: 'a prefix',
}

function readUpstream(word: Word, statements: readonly Statement[], reader: Reader): string | undefined {
  const { report } = reader
  const words = statements.flatMap(({ values }) => values)
  if (statements.length === 0) {
    report.error(word, 'this subnet has no upstream: expected `upstream IFACE`', 'that is the link the router is on')
  }
  for (const extra of words.slice(1)) {
    report.error(extra, `${quote(extra.text)} is a second upstream: expected exactly one`,
      'the links that the hosts are on are `downstream`')
  }
  const name = words.length > 0 ? reader.iface(words[0], false) : undefined
  if (name === 'lo') report.error(words[0], '`lo` has no neighbors: expected the link the router is on')
  return name
}

function readDownstream(
  word: Word, statements: readonly Statement[], upstream: string | undefined, reader: Reader): string[] {
  const { report } = reader
  const names = new Set<string>()
  if (statements.length === 0) {
    report.error(word, 'this subnet has no downstream: expected `downstream IFACE...`',
      'those are the links the hosts are on')
  }
  for (const value of statements.flatMap(({ values }) => values)) {
    const name = reader.iface(value, true)
    if (name === undefined) continue
    if (names.has(name)) report.warning(value, `${quote(name)} is a downstream already`)
    else if (name === 'lo') report.error(value, '`lo` has no neighbors: expected a link that hosts are on')
    else if (name === upstream) report.error(value, `\`${name}\` is the upstream: expected another link`)
    else if (upstream !== undefined && matchesIface(name, upstream)) {
      report.warning(value, `\`${name}\` fits the upstream too: \`${upstream}\` stays upstream only`)
    }
    names.add(name)
  }
  return [...names]
}

function readExcluded(prefix: Prefix | 'auto', statements: readonly Statement[], reader: Reader): Set<Prefix> {
  const { report } = reader
  const excluded = new Set<Prefix>()
  for (const word of statements.flatMap(({ values }) => values)) {
    const found = reader.prefix(word)
    if (found === undefined) continue
    if (prefix === 'auto') checkGlobal(found.address, word, reader)
    else if (!prefix.contains(found.address) || found.length < prefix.length) {
      const [text, length] = word.text.split('/')
      const meant = found.length < prefix.length ? undefined : reader.suggest(text, (a) => prefix.contains(a))
      report.error(word, `${quote(word.text)} is not inside ${prefix}: expected a part of the subnet`,
        didYouMean(meant && (length === undefined ? meant : `${meant}/${length}`)))
    } else if (found.length === prefix.length) {
      report.warning(word, `this excludes all of ${prefix}: nothing is answered for`)
    }
    excluded.add(found)
  }
  return excluded
}

/** @param links upstream and downstream; undefined when they are not known well enough to judge by */
function readHosts(prefix: Prefix | 'auto', statements: readonly Statement[], links: readonly string[] | undefined,
  exclude: Iterable<Prefix>, reader: Reader): PinnedHost[] {
  const { report } = reader
  const hosts: PinnedHost[] = []
  const excluded = new PrefixMap<Prefix>()
  for (const part of exclude) excluded.set(part, part)
  const pinned = new PrefixMap<Placed<PinnedHost>>()
  const named = new Set(links)
  const patterns = links?.filter((link) => link.includes('*')) ?? []
  for (const { values: [word, link, ...more] } of statements) {
    if (word === undefined) continue
    for (const extra of more) {
      report.error(extra, `${quote(extra.text)} is one too many: expected \`host ADDRESS [IFACE]\``)
    }
    const address = reader.address(word)
    const iface = link && reader.iface(link, false)
    if (link !== undefined && iface !== undefined && links !== undefined && !named.has(iface)) {
      if (patterns.some((pattern) => matchesIface(pattern, iface))) named.add(iface)
      else {
        const some = links.slice(0, 16)
        report.error(link, `\`${iface}\` is no link of this subnet: expected ${some.join(', ')}`,
          didYouMean(nearest(iface, some)))
      }
    }
    if (address === undefined || (link !== undefined && iface === undefined)) continue
    if (prefix === 'auto') {
      if (!checkGlobal(address, word, reader)) continue
    } else if (!prefix.contains(address)) {
      const meant = reader.suggest(word.text.split('/')[0], (a) => prefix.contains(a))
      report.error(word, `${address} is not inside ${prefix}: expected an address of the subnet`, didYouMean(meant))
      continue
    }
    const single = new Prefix(address, 128)
    const before = pinned.get(single)
    if (before !== undefined) {
      const again = `${address} is pinned already at ${whereIs(before.word, word)}`
      const { iface: other = 'no link' } = before.value
      if (before.value.iface === iface) report.warning(word, again)
      else report.error(word, `${again}, to ${other}: expected one place for one host`)
      continue
    }
    if (excluded.covering(address) !== undefined) {
      report.warning(word, `${address} is excluded by ${excluded.covering(address)}: it is never answered for`)
    } else if (prefix !== 'auto' && prefix.length < 127 && address.equals(prefix.address)) {
      report.warning(word, `${address} is the subnet-router anycast address (RFC 4291 2.6.1): it is never answered for`)
    }
    pinned.set(single, { value: { address, iface }, word })
    hosts.push({ address, iface })
  }
  return hosts
}

/** All that can be said of an address while the prefix is not known; reported when it cannot be in any. */
function checkGlobal(address: Address, word: Word, { report }: Reader): boolean {
  if (!address.isGlobal) {
    report.error(word, `${quote(word.text)} can be in no subnet: expected a global or unique local address`)
  }
  return address.isGlobal
}

function didYouMean(text: { toString(): string } | undefined): string | undefined {
  return text && `did you mean \`${text}\`?`
}

