/** Compiles blocks into a Config. contents.ts reads one block by the table of options.ts; checks across statements are here. */
import type { Prefix } from '../address.ts'
import { checkAddresses } from './check.ts'
import type { Config, Proxy, Rule, Subnet } from './config.ts'
import { onlyValue, readContents, reportMissing } from './contents.ts'
import { DEFAULTS, SUBNET_DEFAULTS, TOP_DEFAULTS, withDefaults } from './defaults.ts'
import type { Report } from './diagnostic.ts'
import type { Placed, Statement, Word } from './parser.ts'
import { readSubnet } from './subnet.ts'
import { Reader } from './values.ts'

/** Shortest prefix of a `static` rule without a warning: a scan of more addresses fills neighbor tables (RFC 6583 6.1). */
const WIDEST_STATIC = 112

const FIRST_ONLY = 'ndppd 0.2.x probes only the first'

/** Compiles `statements`. Problems go to `report`; the result is valid only if no error was reported. */
export function compile(statements: readonly Statement[], report: Report): Config {
  return new Schema(report).top(statements)
}

class Schema {
  readonly #report: Report
  readonly #reader: Reader
  /** Prefixes of all rules, for checks across blocks. */
  readonly #rules: Placed<Prefix>[] = []
  readonly #subnets: Placed<Subnet>[] = []

  constructor(report: Report) {
    this.#report = report
    this.#reader = new Reader(report)
  }

  top(block: readonly Statement[]): Config {
    const { values, statements } = readContents(block, 'top', this.#reader)
    const proxies: Proxy[] = []
    for (const statement of statements) {
      if (statement.key.text === 'proxy') {
        const proxy = this.#proxy(statement)
        if (proxy !== undefined) proxies.push(proxy)
      } else if (statement.key.text === 'subnet') this.#subnet(statement)
    }
    checkAddresses(this.#rules, this.#subnets, this.#report)
    return { ...TOP_DEFAULTS, ...values, proxies, subnets: this.#subnets.map(({ value }) => value) }
  }

  #proxy(statement: Statement): Proxy | undefined {
    const report = this.#report
    const word = onlyValue(statement, 'one interface', 'write a proxy block for each interface', this.#reader)
    const iface = word && this.#reader.iface(word, false)
    const { values, statements } = readContents(statement.block ?? [], 'proxy', this.#reader)
    const rules = statements.map((rule) => this.#rule(rule, iface))
    if (word !== undefined && iface !== undefined) {
      if (iface === 'lo') report.warning(word, '`lo` has no neighbors: expected a link with solicitors')
      if (rules.length === 0) {
        report.warning(word, `\`proxy ${iface}\` has no rules and answers no solicitation: expected a \`rule\``,
          `write \`proxy ${iface} { rule PREFIX { ... } }\``)
      }
    }
    const settings = withDefaults(DEFAULTS, values)
    return iface === undefined ? undefined : { iface, settings, rules: rules.filter((rule) => rule !== undefined) }
  }

  #rule(statement: Statement, proxyIface: string | undefined): Rule | undefined {
    const report = this.#report
    const word = onlyValue(statement, 'one prefix', 'write a rule for each prefix', this.#reader)
    const prefix = word && this.#reader.prefix(word)
    const { values, statements } = readContents(statement.block ?? [], 'rule', this.#reader)
    const place = word ?? statement.key
    if (statement.block === undefined) {
      report.error(place, 'this rule has no block: expected `{ static }`, `{ auto }` or `{ iface IFACE }` after it')
      return undefined
    }
    const kinds = new Set(statements.map(({ key }) => key.text))
    if (kinds.size > 1) {
      const second = statements.find(({ key }) => key.text !== statements[0].key.text)!
      report.error(second.key, `\`${second.key.text}\` in a rule with \`${statements[0].key.text}\`: expected only one of \`static\`, `
        + '`auto` and `iface`', 'to use both, write two rules with the same prefix')
    } else if (statement.block.length > 0 && kinds.size === 0) {
      report.error(place, 'this rule has no method to find hosts: expected `static`, `auto` or `iface IFACE`')
      return undefined
    }
    const ifaces = this.#ruleIfaces(statements.filter(({ key }) => key.text === 'iface'), proxyIface)
    if (prefix === undefined || word === undefined || (kinds.has('iface') && ifaces.length === 0)) return undefined

    this.#rules.push({ value: prefix, word })
    if (prefix.address.isLinkLocal || prefix.address.isMulticast) {
      report.warning(word, `${prefix} is link-local or multicast, which is never proxied: expected a global or unique local prefix`)
    }
    if ('autovia' in values && !kinds.has('iface')) {
      report.warning(place, '`autovia` has no effect here: expected it in a rule with `iface`')
    }
    if (kinds.has('iface')) return { kind: 'iface', prefix, ifaces, autovia: values.autovia === true }
    if (kinds.has('auto')) return { kind: 'auto', prefix }
    // Guides for ndppd before 0.2.5 write an empty body for static; later versions refuse to start.
    if (kinds.size === 0) report.warning(place, 'this rule is empty and is read as `static`', 'write `{ static }`')
    if (prefix.length < WIDEST_STATIC) {
      report.warning(word, `\`static\` answers for every address of ${prefix}, with or without a host`,
        'a scan fills the router\'s neighbor table (RFC 6583): write `auto`, `iface` or a `subnet`, or a prefix of '
        + `/${WIDEST_STATIC} or longer`)
    }
    return { kind: 'static', prefix }
  }

  #ruleIfaces(statements: readonly Statement[], proxyIface: string | undefined): string[] {
    const report = this.#report
    const words: Word[] = []
    for (const statement of statements) {
      if (statement.values.length === 0) reportMissing(statement, 'an interface', this.#reader)
      if (statement !== statements[0]) {
        // A probe on one more link does no harm, so this is no error.
        report.warning(statement.key, 'a second `iface`: ndp6d probes all of them', FIRST_ONLY)
      } else if (statement.values.length > 1 && report.first('several ifaces')) {
        report.warning(statement.values[1], 'several interfaces: ndp6d probes all of them', FIRST_ONLY)
      }
      for (const word of statement.values) words.push(word)
    }
    const ifaces = new Set<string>()
    for (const word of words) {
      const iface = this.#reader.iface(word, true)
      if (iface === undefined) continue
      if (ifaces.has(iface)) report.warning(word, `\`${iface}\` is named twice`)
      ifaces.add(iface)
      if (iface === 'lo') report.warning(word, '`lo` has no neighbors: expected a link with hosts', 'did you mean `static`?')
      if (iface === proxyIface) {
        report.warning(word, `\`${iface}\` receives the solicitations of this \`proxy\` and is never probed: expected another link`,
          'write the link of the hosts')
      }
    }
    return [...ifaces]
  }

  #subnet(statement: Statement): void {
    const report = this.#report
    const word = onlyValue(statement, 'one prefix, or `auto`', 'write a subnet block for each prefix', this.#reader)
    const prefix = word && this.#reader.prefixOrAuto(word)
    const { values, statements } = readContents(statement.block ?? [], 'subnet', this.#reader)
    if (word === undefined) return
    const subnet = readSubnet(prefix, word, statements, this.#reader)
    if (subnet === undefined) return
    const settings = withDefaults(SUBNET_DEFAULTS, values)
    this.#subnets.push({ value: { ...subnet, settings }, word })
    if (!settings.learn && subnet.hosts.length === 0) {
      report.warning(word, 'with `learn no` this subnet answers for no address: expected a `host`')
    }
  }
}
