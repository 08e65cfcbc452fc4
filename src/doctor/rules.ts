/** Lines of the configuration that are probably not meant: mistyped addresses, and `static` rules for large prefixes. */
import { Address, Prefix } from '../address.ts'
import { type Config, WIDEST_STATIC } from '../config/config.ts'
import { hasNotFailed } from '../wire/rtneighbor.ts'
import { type Check, configured, type Configured, type Finding } from './check.ts'
import { isNamed, linksOf } from './roles.ts'

/** @returns the digits of the written address, without its colons. A misplaced colon does not change these digits */
function digitsOf(address: Address): string { return address.toString().replaceAll(':', '') }

/** @returns whether one address becomes the other by moving colons, or by exchanging two neighboring digits */
function looksLike(a: Address, b: Address): boolean {
  const [x, y] = [digitsOf(a), digitsOf(b)]
  if (x.length !== y.length) return false
  const differing = [...x].flatMap((digit, i) => digit === y[i] ? [] : [i])
  if (differing.length === 0) return true
  const [i, j] = differing
  return differing.length === 2 && j === i + 1 && x[i] === y[j] && x[j] === y[i]
}

/** A line that names one address. */
interface Line {
  readonly address: Address
  /** Patterns of the links where the address may be. */
  readonly links: readonly string[]
  /** The same line with another address. */
  readonly with: (other: Address) => string
}

/** An address in use. */
interface Used { readonly target: Address; readonly link: string }

/** `host` lines, and rules for one address. */
function linesOf({ subnets, proxies }: Config): Line[] {
  return [
    ...subnets.flatMap((subnet) => subnet.hosts.map(({ address, iface }): Line => ({
      address, links: iface === undefined ? subnet.downstream : [iface],
      with: (other) => `host ${other}${iface === undefined ? '' : ` ${iface}`}`,
    }))),
    ...proxies.flatMap(({ rules }) => rules.flatMap((rule): Line[] => rule.kind !== 'iface' || rule.prefix.length < 128 ? [] : [{
      address: rule.prefix.address, links: rule.ifaces, with: (other) => `rule ${other}/128 { iface ${rule.ifaces.join(' ')} }`,
    }])),
  ]
}

/** Finds lines that look mistyped: their host is silent, and on one of their links a similar address is in use, which no line names. */
function oddAddresses({ config, machine, neighbors }: Configured): Finding[] {
  const alive = new Map<string, Used>()
  const add = (target: Address, link: string): void => { alive.set(`${target} ${link}`, { target, link }) }
  for (const { address, ifindex, state, lladdr } of machine.neighbors) {
    if (lladdr !== undefined && hasNotFailed(state) && address.isGlobal) add(address, machine.nameOf(ifindex))
  }
  for (const { target, iface, lladdr } of neighbors) if (iface !== undefined && lladdr !== undefined) add(Address.parse(target)!, iface)
  const lines = linesOf(config)
  const named = new Set(lines.map(({ address }) => address.toString()))
  const strangers = [...alive.values()].filter(({ target }) => !named.has(target.toString()))
  if (strangers.length === 0) return []
  const links = linksOf(config, machine).map(({ name }) => name)
  const silent = lines.filter((line) => links.every((link) => !isNamed(line.links, link) || !alive.has(`${line.address} ${link}`)))
  const byDigits = new Map<string, Used[]>()
  for (const stranger of strangers) {
    const key = sortedDigits(stranger.target)
    byDigits.set(key, [...byDigits.get(key) ?? [], stranger])
  }
  return silent.flatMap((line): Finding[] => {
    const nearby = new Prefix(line.address, 64)
    const twin = byDigits.get(sortedDigits(line.address))
      ?.find(({ target, link }) => isNamed(line.links, link) && nearby.contains(target) && looksLike(line.address, target))
    return twin === undefined ? [] : [{
      what: `${line.address} does not answer, but ${twin.target} does on ${twin.link}: mistyped?`,
      why: `the configuration names ${line.address}, which no host seems to have`,
      mend: line.with(twin.target), isLine: true, link: twin.link, target: line.address.toString(),
    }]
  })
}

/** @returns a key that is equal for addresses that may look alike */
function sortedDigits(address: Address): string { return [...digitsOf(address)].sort().join('') }

export const ruleChecks: readonly Check[] = [
  configured({ code: 'odd-address', severity: 'warning', title: 'no `host` line looks mistyped' }, oddAddresses),
  configured({ code: 'static-prefix', severity: 'warning', title: 'no `static` rule answers for a large prefix', isCheap: true, isLogged: true },
    ({ config }) => config.proxies.flatMap(({ iface, rules }) => rules.filter(({ kind, prefix }) => kind === 'static' && prefix.length < WIDEST_STATIC)
      .map(({ prefix }) => ({
        what: `the rule for ${prefix} on ${iface} is \`static\`: every address is answered for, used or not`,
        why: "a scan of the prefix from outside fills the router's neighbor table, and the router then loses hosts of all its customers",
        mend: `rule ${prefix} { auto }`, isLine: true, link: iface, target: prefix.toString(),
      })))),
]
