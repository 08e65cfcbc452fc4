/** The kernel's routes to the hosts. */
import { setImmediate } from 'node:timers/promises'
import { Address } from '../address.ts'
import { matchesIface, type Subnet } from '../config/config.ts'
import type { PathLookup } from '../engine-types.ts'
import { type Check, configured, type Configured, type Finding, word } from './check.ts'
import type { Machine } from './machine.ts'
import { prefixesOf } from './roles.ts'

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

/**
 * @returns the owners to which the kernel must have a route. Without a daemon, these are only the configured hosts to which ndp6d sets no
 *   route
 */
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

/**
 * Finds a link that is up and is not the owner's, and on which, by the rules, packets for the owner come in.
 * @returns a list with the ifindex of the link; an empty list if there is no such link
 */
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

export const hostRouteChecks: readonly Check[] = [
  configured({ code: 'host-route', severity: 'error', title: 'the kernel routes each host to its link' }, strayRoutes),
]
