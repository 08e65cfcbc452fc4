/** Compiles blocks into a Config. block-contents.ts reads each block; this file checks statements against each other. */
import type { Prefix } from '../address.ts'
import { checkAdvertisementSpace } from './advertisement-space.ts'
import { onlyValue, readContents, reportMissing } from './block-contents.ts'
import { type Config, type Proxy, type Rule, type Settings, WIDEST_STATIC } from './config.ts'
import { checkAddresses, checkOverlaps, type PlacedRule } from './cross-checks.ts'
import { DEFAULTS, TOP_DEFAULTS, withDefaults } from './defaults.ts'
import type { Report, Span } from './diagnostic.ts'
import type { Placed, Statement } from './parser.ts'
import { type Places, setPlaces } from './places.ts'
import { readSubnet } from './subnet.ts'
import { Reader } from './values.ts'

/** Keywords of a `rule`. Each selects how ndp6d finds the owner of a target; `static` needs no owner. */
const METHODS = ['static', 'auto', 'iface']

const FIRST_ONLY = 'ndppd 0.2.x probes only the first'

/**
 * Compiles `block`, all statements of a configuration. Problems go to `report`; the result is valid only if no error was reported.
 * @param ifaces receives all interface names and patterns, each with the place of its first mention
 */
export function compile(block: readonly Statement[], report: Report, ifaces: Map<string, Span>): { config: Config; places: Places } {
  const reader = new Reader(report, ifaces)
  const { places } = reader
  const { values, words, statements } = readContents(block, 'top', reader)
  const blocks = (key: string): Statement[] => statements.filter((statement) => statement.key.text === key)
  const prefixes: Placed<Prefix>[] = []
  const rules: PlacedRule[] = []
  const proxies = blocks('proxy').map((statement) => readProxy(statement, prefixes, rules, reader)).filter((proxy) => proxy !== undefined)
  const subnets = blocks('subnet').map((statement) => readSubnet(statement, reader)).filter((subnet) => subnet !== undefined)
  checkAddresses(prefixes, subnets, report)
  checkOverlaps(rules, subnets, report)
  checkAdvertisementSpace(subnets, places, report)
  const config = { ...TOP_DEFAULTS, ...values, proxies, subnets: subnets.map(({ value }) => value) }
  places.options(config, words)
  setPlaces(config, places)
  return { config, places }
}

/**
 * Reads one `proxy` block.
 * @param prefixes receives the prefixes of the block's rules
 * @param all the list that receives the block's rules, for checks across blocks
 */
function readProxy(statement: Statement, prefixes: Placed<Prefix>[], all: PlacedRule[], reader: Reader): Proxy | undefined {
  const { report } = reader
  const word = onlyValue(statement, 'one interface', 'write a proxy block for each interface', reader)
  const iface = word && reader.iface(word, false)
  const { values, words, statements, meant } = readContents(statement.block ?? [], 'proxy', reader)
  const settings = withDefaults(DEFAULTS, values)
  const own = statements.map((rule) => readRule(rule, iface, settings, prefixes, reader))
  if (word === undefined || iface === undefined) return undefined
  if (iface === 'lo') report.warning(word, 'bad-interface', '`lo` has no neighbors: expected a link with solicitors')
  if (own.length === 0 && !meant.has('rule')) {
    report.warning(word, 'no-effect', `\`proxy ${iface}\` has no rules and answers no solicitation: expected a \`rule\``,
      `write \`proxy ${iface} { rule PREFIX { ... } }\``)
  }
  const rules = own.filter((rule) => rule !== undefined)
  for (const { value: rule, word } of rules) all.push({ rule, word, iface, settings })
  const proxy = { iface, settings, rules: rules.map(({ value }) => value) }
  reader.places.part(proxy, word)
  reader.places.options(proxy, words)
  for (const { value: rule, word } of rules) reader.places.part(rule, word)
  return proxy
}

function readRule(statement: Statement, proxyIface: string | undefined, { router }: Settings, prefixes: Placed<Prefix>[],
  reader: Reader): Placed<Rule> | undefined {
  const { report } = reader
  const word = onlyValue(statement, 'one prefix', 'write a rule for each prefix', reader)
  const prefix = word && reader.rulePrefix(word)
  const { values, statements, meant } = readContents(statement.block ?? [], 'rule', reader, METHODS)
  const place = word ?? statement.key
  if (statement.block === undefined) {
    report.error(place, 'missing-block', 'this rule has no block: expected `{ static }`, `{ auto }` or `{ iface IFACE }` after it')
    return undefined
  }
  const kinds = new Set(statements.map(({ key }) => key.text))
  if (kinds.size > 1) {
    const second = statements.find(({ key }) => key.text !== statements[0].key.text)!
    report.error(second.key, 'conflict',
      `\`${second.key.text}\` in a rule with \`${statements[0].key.text}\`: expected only one of \`static\`, `
      + '`auto` and `iface`', 'to use both, write two rules with the same prefix')
  } else if (statement.block.length > 0 && kinds.size === 0) {
    if (!METHODS.some((word) => meant.has(word))) {
      report.error(place, 'missing-statement', 'this rule has no method to find hosts: expected `static`, `auto` or `iface IFACE`')
    }
    return undefined
  }
  const ifaces = readRuleIfaces(statements.filter(({ key }) => key.text === 'iface'), proxyIface, reader)
  if (prefix === undefined || word === undefined || (kinds.has('iface') && ifaces.length === 0)) return undefined

  prefixes.push({ value: prefix, word })
  if (prefix.address.isLinkLocal || prefix.address.isMulticast) {
    report.warning(word, 'no-effect',
      `${prefix} is link-local or multicast, which is never proxied: expected a global or unique local prefix`)
  }
  if ('autovia' in values && !kinds.has('iface')) report.warning(place, 'no-effect',
    '`autovia` has no effect here: expected it in a rule with `iface`')
  if (kinds.has('iface')) return { value: { kind: 'iface', prefix, ifaces, autovia: values.autovia === true }, word }
  if (kinds.has('auto')) return { value: { kind: 'auto', prefix }, word }
  // Guides for ndppd before 0.2.5 write an empty body for `static`; from 0.2.5 on, ndppd refuses to start with an empty body.
  if (kinds.size === 0) report.warning(place, 'empty-rule', 'this rule is empty and is read as `static`', 'write `{ static }`')
  if (prefix.length < WIDEST_STATIC) {
    // With `router no`, the addresses are usually those of this machine itself. No probe finds own addresses, so the hint names no other
    // method.
    const instead = router ? 'for hosts write `auto`, `iface` or a `subnet`; for addresses of this machine, a' : 'write a'
    report.warning(word, 'wide-static', `\`static\` answers for every address of ${prefix}, with or without a host`,
      `a scan fills the router's neighbor table (RFC 6583): ${instead} prefix of /${WIDEST_STATIC} or longer`)
  }
  return { value: { kind: 'static', prefix }, word }
}

function readRuleIfaces(statements: readonly Statement[], proxyIface: string | undefined, reader: Reader): string[] {
  const { report } = reader
  for (const statement of statements) {
    if (statement.values.length === 0) reportMissing(statement, 'an interface', reader)
    // A second `iface` is only a warning, because a probe on one more link does no harm.
    if (statement !== statements[0]) report.warning(statement.key, 'several-interfaces',
      'a second `iface`: ndp6d probes the links of all', FIRST_ONLY)
    else if (statement.values.length > 1 && report.first('several ifaces')) {
      report.warning(statement.values[1], 'several-interfaces', 'several interfaces: ndp6d probes all of them', FIRST_ONLY)
    }
  }
  const ifaces = new Set<string>()
  for (const word of statements.flatMap(({ values }) => values)) {
    const iface = reader.iface(word, true)
    if (iface === undefined) continue
    if (ifaces.has(iface)) report.warning(word, 'duplicate', `\`${iface}\` is named twice`)
    ifaces.add(iface)
    if (iface === 'lo') report.warning(word, 'bad-interface', '`lo` has no neighbors: expected a link with hosts', 'did you mean `static`?')
    if (iface === proxyIface) {
      report.warning(word, 'bad-interface',
        `\`${iface}\` receives the solicitations of this \`proxy\` and is never probed: expected another link`,
        'write the link of the hosts')
    }
  }
  return [...ifaces]
}
