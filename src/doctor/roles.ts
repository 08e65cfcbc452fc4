/** Finds the links and prefixes of this machine to which the names and prefixes of the configuration refer. */
import { type Address, Prefix } from '../address.ts'
import { type Config, matchesIface } from '../config/config.ts'
import type { Machine } from './machine.ts'

/** Names and patterns of all links, without duplicates. */
export function namesOf({ subnets, proxies }: Config): string[] {
  return [...new Set([
    ...subnets.flatMap(({ upstream, downstream, hosts }) => [upstream, ...downstream, ...hosts.flatMap(({ iface }) => iface ?? [])]),
    ...proxies.flatMap(({ iface, rules }) => [iface, ...rules.flatMap((rule) => rule.kind === 'iface' ? rule.ifaces : [])]),
  ])]
}

export function isNamed(names: readonly string[], link: string): boolean { return names.some((name) => matchesIface(name, link)) }

/** The existing links that the configuration names. */
export function linksOf(config: Config, machine: Machine) {
  const names = namesOf(config)
  return machine.links.filter(({ name }) => isNamed(names, name))
}

export function upstreamsOf({ subnets }: Config): string[] { return [...new Set(subnets.map(({ upstream }) => upstream))] }

/** @returns whether a prefix of a rule or subnet contains the address; {@link prefixesOf} returns the prefixes of a subnet */
export function covers({ subnets, proxies }: Config, machine: Machine, address: Address): boolean {
  return proxies.some(({ rules }) => rules.some(({ prefix }) => prefix.contains(address)))
    || subnets.some((subnet) => prefixesOf(subnet, machine).some((prefix) => prefix.contains(address)))
}

/** @returns the prefix of a subnet; for `auto`, the global prefixes of the addresses on its upstream */
export function prefixesOf({ prefix, upstream }: Config['subnets'][number], machine: Machine): Prefix[] {
  if (prefix !== 'auto') return [prefix]
  const ifindex = machine.link(upstream)?.ifindex
  return machine.addresses.filter((own) => own.ifindex === ifindex && own.address.isGlobal && own.prefixLength < 128)
    .map(({ address, prefixLength }) => new Prefix(address, prefixLength))
}
