/** The hosts: routes that lead to them, and `host` lines that look mistyped. */
import { setImmediate } from 'node:timers/promises'
import { Address, Prefix } from '../address.ts'
import { type Config, matchesIface, type Subnet } from '../config/config.ts'
import type { PathLookup } from '../engine-types.ts'
import { hasNotFailed } from '../wire/rtneighbor.ts'
import { type Check, configured, type Configured, type Finding, word } from './check.ts'
import type { Machine } from './machine.ts'
import { isNamed, linksOf, prefixesOf } from './roles.ts'

/** Route lookups in one turn of the event loop. */
const BATCH = 256
/** The most findings of one kind: one cause makes thousands. */
const FINDINGS = 8

interface Owner { readonly target: Address; readonly link: string }

/** The link of a `host` line; undefined if several are possible. */
function linkOf({ downstream }: Subnet, iface: string | undefined): string | undefined {
  if (iface !== undefined) return iface
  return downstream.length === 1 && !downstream[0].includes('*') ? downstream[0] : undefined
}

/** Owners to which the kernel must have a route now. Without a daemon: configured owners whose routes ndp6d would not set. */
function ownersOf({ config, daemon, neighbors }: Configured): Owner[] {
  if (daemon !== undefined) {
    return [...neighbors].flatMap(({ target, state, iface: link, via }) =>
      link === undefined || via !== undefined || !['REACHABLE', 'PROBE'].includes(state) ? [] : [{ target: Address.parse(target)!, link }])
  }
  return [
    ...config.subnets.filter(({ settings }) => !settings.routes).flatMap((subnet) => subnet.hosts.flatMap(({ address, iface }) => {
      const link = linkOf(subnet, iface)
      return link === undefined ? [] : [{ target: address, link }]
    })),
    ...config.proxies.filter(({ settings }) => !settings.routes).flatMap(({ rules }) => rules.flatMap((rule) => {
      const isOne = rule.kind === 'iface' && rule.prefix.length === 128 && rule.ifaces.length === 1 && !rule.ifaces[0].includes('*')
      return isOne ? [{ target: rule.prefix.address, link: rule.ifaces[0] }] : []
    })),
  ]
}

/** Finds a link where packets for the owner come in: it is up, named by a rule, and not the owner's. @returns its ifindex, or none */
function sourcesOf({ config, machine }: Configured, { target, link }: Owner): number[] {
  const names = [
    ...config.subnets.filter((subnet) => prefixesOf(subnet, machine).some((prefix) => prefix.contains(target)))
      .flatMap(({ upstream, downstream }) => link === upstream ? downstream : [upstream]),
    ...config.proxies.filter(({ rules }) => rules.some(({ prefix }) => prefix.contains(target))).map(({ iface }) => iface),
  ].filter((name) => name !== link)
  const found = machine.links.find(({ name, up }) => up && name !== link && names.some((pattern) => matchesIface(pattern, name)))
  return found === undefined ? [] : [found.ifindex]
}

async function strayRoutes(subject: Configured): Promise<Finding[]> {
  const { machine } = subject
  const owners = ownersOf(subject)
  const lookups = owners.flatMap((owner): (PathLookup & Owner)[] => {
    const ifindex = machine.link(owner.link)?.ifindex
    const from = sourcesOf(subject, owner)
    return ifindex === undefined || from.length === 0 ? [] : [{ ...owner, ifindex, from, hidden: undefined }]
  })
  const found: Finding[] = []
  for (let at = 0; at < lookups.length && found.length < FINDINGS; at += BATCH) {
    const batch = lookups.slice(at, at + BATCH)
    const replies = machine.paths(batch)
    batch.forEach((lookup, i) => {
      const wrong = replies[i].find((decision) => !decision.local && decision.ifindex !== lookup.ifindex)
      if (wrong !== undefined && found.length < FINDINGS) found.push(strayRoute(machine, lookup, wrong.ifindex, wrong.length))
    })
    await setImmediate()
  }
  return found
}

function strayRoute(machine: Machine, { target, link }: Owner, other: number | undefined, length: number): Finding {
  const wrong = other === undefined ? undefined : machine.nameOf(other)
  const address = `${target}`
  const isHostRoute = wrong !== undefined && length === 128
  return {
    what: `${address} is on ${link}, but the kernel ${wrong === undefined ? 'has no usable route to it' : `routes it to ${wrong}`}`,
    why: 'ndp6d answers for this host, so its packets come here, but they do not reach it',
    mend: isHostRoute ? `ip -6 route del ${address}/128 dev ${word(wrong)}` : `ip -6 route replace ${address}/128 dev ${word(link)}`,
    ...!isHostRoute && { keep: '`autowire yes` in the proxy block, or `routes yes` in the subnet' },
    link, target: address,
  }
}

/** @returns the digits as they are written; they stay the same when a colon is misplaced */
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

/** Finds each line whose host is silent although a similar address, which no line names, is in use on a link of the line. */
function oddAddresses({ config, machine, neighbors }: Configured): Finding[] {
  const alive = new Map<string, Owner>()
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
  const byDigits = new Map<string, Owner[]>()
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

/** A prefix shorter than this has more addresses than the neighbor table of a router holds. */
const STATIC_BITS = 112

export const hostChecks: readonly Check[] = [
  configured({ code: 'host-route', severity: 'error', title: 'the kernel routes each host to its link' }, strayRoutes),
  configured({ code: 'odd-address', severity: 'warning', title: 'no `host` line looks mistyped' }, oddAddresses),
  configured({ code: 'static-prefix', severity: 'warning', title: 'no `static` rule answers for a large prefix', isCheap: true, isLogged: true },
    ({ config }) => config.proxies.flatMap(({ iface, rules }) => rules.filter(({ kind, prefix }) => kind === 'static' && prefix.length < STATIC_BITS)
      .map(({ prefix }) => ({
        what: `the rule for ${prefix} on ${iface} is \`static\`: every address is answered for, used or not`,
        why: "a scan of the prefix from outside fills the router's neighbor table, and the router then loses hosts of all its customers",
        mend: `rule ${prefix} { auto }`, isLine: true, link: iface, target: prefix.toString(),
      })))),
]
