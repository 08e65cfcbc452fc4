/** Reads the links and hosts of a `subnet` block and checks them against each other, in linear time. */
import { type Address, Prefix } from '../address.ts'
import { matchesIface, type PinnedHost, type Subnet } from './config.ts'
import { onlyValue, readContents, reportMissing } from './block-contents.ts'
import { SUBNET_DEFAULTS, withDefaults } from './defaults.ts'
import { quote, whereIs } from './diagnostic.ts'
import type { Placed, Statement, Word } from './parser.ts'
import { PrefixMap } from './prefix-map.ts'
import { nearest } from './suggest.ts'
import type { Reader } from './values.ts'

/** Reads one block. @returns undefined if the prefix, the block or the upstream is missing or wrong */
export function readSubnet(statement: Statement, reader: Reader): Placed<Subnet> | undefined {
  const { report, places } = reader
  const word = onlyValue(statement, 'one prefix, or `auto`', 'write a subnet block for each prefix', reader)
  const prefix = word && reader.prefixOrAuto(word)
  const { values, words, statements, meant } = readContents(statement.block ?? [], 'subnet', reader)
  if (word === undefined) return undefined
  if (statement.block === undefined) {
    report.error(word, 'missing-block', 'this subnet has no block: expected `{ upstream IFACE` and `downstream IFACE... }` after it')
    return undefined
  }
  for (const each of statements) if (each.values.length === 0) reportMissing(each, VALUES[each.key.text], reader)
  const of = (key: string): Statement[] => statements.filter((each) => each.key.text === key)
  const upstream = readUpstream(word, of('upstream'), meant, reader)
  const several = of('upstream').flatMap((each) => each.values).length > 1 // an error whose hint explains `downstream`
  const downstream = readDownstream(word, of('downstream'), upstream, several || meant.has('downstream'), reader)
  if (prefix === undefined) return undefined
  if (prefix !== 'auto' && (prefix.address.isLinkLocal || prefix.address.isMulticast)) {
    report.error(word, 'bad-address', `${prefix} is link-local or multicast: expected a global or unique local prefix`)
  }
  const exclude = readExcluded(prefix, of('exclude'), reader)
  const links = upstream === undefined || downstream.length === 0 ? undefined : [upstream, ...downstream]
  const hosts = readHosts(prefix, of('host'), links, exclude, reader)
  if (upstream === undefined) return undefined
  const settings = withDefaults(SUBNET_DEFAULTS, values)
  const dns = of('dns').flatMap((each) => each.values).map((value) => reader.server(value)).filter((address) => address !== undefined)
  const search = of('search').flatMap((each) => each.values).map((value) => reader.domain(value)).filter((domain) => domain !== undefined)
  const needless = [...of('dns'), ...of('search')].map(({ key }) => key)
  if (settings.defaultRoute !== SUBNET_DEFAULTS.defaultRoute) needless.unshift(words.defaultRoute)
  if (!settings.routerAdvertisements && needless.length > 0) {
    report.warning(needless[0], 'no-effect', `\`${needless[0].text}\` has no effect without router advertisements`, 'write `router-advertisements yes`')
  }
  if (settings.routerAdvertisements && prefix !== 'auto' && prefix.length !== 64) {
    report.warning(word, 'no-effect', `hosts take no address in ${prefix} by themselves: that needs a /64 (RFC 4862)`, 'set the addresses of the hosts by hand')
  }
  if (!settings.learn && hosts.length === 0 && !meant.has('host')) {
    report.warning(word, 'no-effect', 'with `learn no` this subnet answers for no address: expected a `host`')
  }
  const value = { prefix, upstream, downstream, hosts, exclude: [...exclude], ...dns.length > 0 && { dns }, ...search.length > 0 && { search }, settings }
  places.part(value, word)
  const lists = Object.fromEntries(['dns', 'search'].flatMap((key) => of(key).slice(0, 1).map((statement) => [key, statement.key])))
  places.options(value, { ...words, ...lists, upstream: of('upstream')[0].key, downstream: of('downstream')[0]?.key ?? word })
  return { value, word }
}

const VALUES: Readonly<Record<string, string>> = {
  upstream: 'one interface', downstream: 'one or more interfaces', host: 'ADDRESS [IFACE]', exclude: 'a prefix', dns: 'one or more addresses',
  search: 'one or more domains',
}

function readUpstream(word: Word, statements: readonly Statement[], meant: ReadonlySet<string>, reader: Reader): string | undefined {
  const { report } = reader
  const words = statements.flatMap(({ values }) => values)
  if (statements.length === 0 && !meant.has('upstream')) {
    report.error(word, 'missing-statement', 'this subnet has no upstream: expected `upstream IFACE`', 'write the link of the router')
  }
  for (const extra of words.slice(1)) {
    report.error(extra, 'conflict',
      `${quote(extra.text)} is a second upstream: expected exactly one`, 'write the links of the hosts as `downstream`')
  }
  const name = words.length > 0 ? reader.iface(words[0], false) : undefined
  if (name === 'lo') report.error(words[0], 'bad-interface', '`lo` has no neighbors: expected the link of the router')
  return name
}

/** @param isExplained whether another reported problem explains that `downstream` is missing */
function readDownstream(word: Word, statements: readonly Statement[], upstream: string | undefined, isExplained: boolean,
  reader: Reader): string[] {
  const { report } = reader
  const names = new Set<string>()
  if (statements.length === 0 && !isExplained) {
    report.error(word, 'missing-statement', 'this subnet has no downstream: expected `downstream IFACE...`', 'write the links of the hosts')
  }
  for (const value of statements.flatMap(({ values }) => values)) {
    const name = reader.iface(value, true)
    if (name === undefined) continue
    if (names.has(name)) report.warning(value, 'duplicate', `${quote(name)} is named twice`)
    else if (name === 'lo') report.error(value, 'bad-interface', '`lo` has no neighbors: expected a link with hosts')
    else if (name === upstream) report.error(value, 'conflict', `\`${name}\` is the upstream: expected another link`)
    else if (upstream !== undefined && matchesIface(name, upstream)) {
      report.warning(value, 'conflict', `\`${name}\` matches the upstream too: \`${upstream}\` is used as upstream only`)
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

/** @param links upstream and downstream; undefined if one of them is missing or wrong */
function readHosts(prefix: Prefix | 'auto', statements: readonly Statement[], links: readonly string[] | undefined,
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
