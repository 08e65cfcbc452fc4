/** Reads a `subnet` block. */
import { matchesIface, type Subnet } from './config.ts'
import { onlyValue, readContents, reportMissing } from './block-contents.ts'
import { SUBNET_DEFAULTS, withDefaults } from './defaults.ts'
import { quote } from './diagnostic.ts'
import { readExcluded, readHosts } from './host-and-exclude-lines.ts'
import type { Placed, Statement, Word } from './parser.ts'
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
