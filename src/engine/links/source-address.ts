/** The choice of source addresses for ND, MLD and MRD messages and for echo requests (RFC 4861 4.3, 4.4). */
import { type Address, Prefix } from '../../address.ts'
import type { SourceChoice } from '../../config/config.ts'
import type { Link, LinkAddress } from '../../engine-types.ts'
import type { Links } from './links.ts'

/**
 * Chooses a source address of this link: link-local or global by `choice`, or of the other kind if the link has none.
 * @param target the target of an advertisement: the result if `choice` is `target`
 * @returns undefined when the link has no address, or only tentative ones (RFC 4862 5.4)
 */
export function sourceAddress({ addresses }: Link, choice: SourceChoice, target?: Address): Address | undefined {
  if (choice === 'target' && target !== undefined) return target
  let fallback: Address | undefined
  for (const { address, tentative } of addresses) {
    if (tentative) continue
    if (address.isLinkLocal === (choice !== 'global')) return address
    fallback ??= address
  }
  return fallback
}

/**
 * Chooses the source of probes on this link, as the kernel would for a link-local group (RFC 6724 5, rule 2): a link-local address, which
 * every host of the link accepts. On a link without link-local address, the first choice is an address whose prefix contains the target,
 * because a host may ignore a source outside its prefixes.
 * @returns undefined when the link has no address, or only tentative ones (RFC 4862 5.4)
 */
export function probeSource(link: Link, target: Address): Address | undefined {
  const source = sourceAddress(link, 'link-local')
  if (source === undefined || source.isLinkLocal) return source
  return link.addresses.find((own) => !own.tentative && isNear(own, target))?.address ?? source
}

/**
 * Chooses the source of probes on a link without link-layer addresses: a global address of this link, else of another link. The other end
 * of a tunnel may accept and route only global addresses, so a link-local address is the last choice.
 * @returns undefined when no link has a usable address
 */
export function tunnelSource(links: Links, link: Link): Address | undefined {
  const own = sourceAddress(link, 'global')
  return own?.isLinkLocal === false ? own : links.globals[0]?.address ?? own
}

/**
 * Chooses the source of messages on a link that has no address. Hosts may ignore a source outside their prefixes, so the first choice is an
 * address whose prefix contains the target. The last choice is a link-local address, because a host on this link may have the same one.
 * @returns undefined when this machine has no usable address
 */
export function borrowedSource(links: Links, target: Address): Address | undefined {
  const own = links.globals.find((near) => isNear(near, target)) ?? links.globals[0]
  if (own !== undefined) return own.address
  const others = [...links.values()].flatMap(({ addresses }) => addresses.filter(({ address, tentative }) => !tentative && !address.isLoopback))
  return (others.find(({ address }) => !address.isLinkLocal) ?? others[0])?.address
}

/** @returns the source of MLD, MRD and RA messages: a link-local address that is not tentative; undefined: the link has none or is down */
export function linkLocal(links: Links, ifindex: number): Address | undefined {
  const link = links.get(ifindex)
  const source = link?.up ? sourceAddress(link, 'link-local') : undefined
  return source?.isLinkLocal ? source : undefined
}

/**
 * Chooses the source of echo requests to all hosts of a link: if possible, an address in a prefix of the hosts, since hosts reply from the
 * same prefix. There is only one source: all hosts solicit for each source, and the solicitations for several would overrun a Linux bridge.
 * @returns undefined when this machine has no usable address
 */
export function echoSource(links: Links, link: Link, isInside: (address: Address) => boolean): Address | undefined {
  const { globals } = links
  return (globals.find(({ address }) => isInside(address)) ?? globals[0])?.address ?? sourceAddress(link, 'link-local')
}

/** @returns whether the target is in the prefix of this address */
function isNear({ address, prefixLength }: LinkAddress, target: Address): boolean { return new Prefix(address, prefixLength).contains(target) }
