/** Prints a Config as text that parses into the same Config: all effective values, in canonical order and form. */
import type { Config, Endpoint, Rule, Settings } from './config.ts'
import { arity, OPTIONS, type Where } from './option-table.ts'

/** Prints every statement with its effective value. Times are plain milliseconds, which ndppd reads too. */
export function printConfig(config: Config): string {
  const { forwarding, grace, metrics, proxies, subnets } = config
  const parts = [[`forwarding ${printValue(forwarding)}`, `grace ${grace}`]]
  if (metrics !== undefined) {
    parts[0].push(`metrics ${printEndpoint(metrics)}`)
  }
  for (const { prefix, upstream, downstream, hosts, exclude, dns = [], search = [], settings } of subnets) {
    parts.push(printBlock(`subnet ${prefix}`, [
      `upstream ${printIface(upstream)}`,
      `downstream ${downstream.map(printIface).join(' ')}`,
      ...hosts.map(({ address, iface }) => `host ${address}${iface === undefined ? '' : ` ${printIface(iface)}`}`),
      ...exclude.map((part) => `exclude ${part}`),
      ...dns.map((server) => `dns ${server}`),
      ...search.map((domain) => `search ${printIface(domain)}`),
      ...printSettings(settings, 'subnet'),
    ]))
  }
  for (const { iface, settings, rules } of proxies) {
    parts.push(printBlock(`proxy ${printIface(iface)}`, [...printSettings(settings, 'proxy'), ...rules.map(printRule)]))
  }
  return parts.map((lines) => `${lines.join('\n')}\n`).join('\n')
}

export function printBlock(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...lines.map((line) => `    ${line}`), '}']
}

/** @param defaults the values for which a setting is not printed */
export function printSettings(settings: Settings, where: Where, defaults: Partial<Settings> = {}): string[] {
  const lines: string[] = []
  for (const [word, option] of OPTIONS) {
    if (option.sets === undefined || !(option.sets in settings) || !option.where.includes(where)) continue
    const key = option.sets as keyof Settings
    if (settings[key] === defaults[key]) continue
    lines.push(`${word} ${printValue(settings[key])}`)
  }
  return lines
}

export function printRule(rule: Rule): string {
  if (rule.kind !== 'iface') return `rule ${rule.prefix} { ${rule.kind} }`
  return `rule ${rule.prefix} { iface ${rule.ifaces.map(printIface).join(' ')}${rule.autovia ? ' autovia yes' : ''} }`
}

export function printEndpoint({ host, port }: Endpoint): string { return `${host.includes(':') ? `[${host}]` : host}:${port}` }

export function printValue(value: boolean | number | string): string {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value)
}

/** Quotes the name of an interface or domain that would be read as a statement or a comment. */
export function printIface(name: string): string { return /^[\w.@~+*-]+$/.test(name) && arity(name) === undefined ? name : `"${name}"` }
