/** The links of this machine and their addresses. */
import { type Address, Prefix } from '../../address.ts'
import { AddressMap } from '../tables/address-map.ts'
import type { Gateway, Link, LinkAddress, Random } from '../../engine-types.ts'

export interface OwnAddress {
  readonly ifindex: number
  readonly loopback: boolean
  readonly tentative: boolean
}

/** @returns whether the kernel resolves neighbors on this link. Without neighbor resolution, hosts are in no solicited-node groups */
export function isResolved({ mac, noarp }: Pick<Link, 'mac' | 'noarp'>): boolean { return mac !== undefined && noarp !== true }

export class Links {
  readonly #links = new Map<number, Link>()
  /** Default gateways of this machine. */
  gateways: readonly Gateway[] = []
  readonly #random: Random
  #own: AddressMap<OwnAddress[]>
  /** The prefixes of this machine's addresses, with the links of the addresses. */
  #onLink: { readonly prefix: Prefix; readonly ifindex: number }[] = []
  #globals: LinkAddress[] = []

  constructor(random: Random) {
    this.#random = random
    this.#own = new AddressMap(random)
  }

  get(ifindex: number): Link | undefined { return this.#links.get(ifindex) }
  up(ifindex: number): boolean { return this.#links.get(ifindex)?.up ?? false }
  /** @returns whether the address is a default gateway on other links only. Then no host on this link may have it */
  isGatewayElsewhere(w0: number, w1: number, w2: number, w3: number, ifindex: number): boolean {
    let isElsewhere = false
    for (const { address, ifindex: link } of this.gateways) {
      if (address.w3 !== w3 || address.w2 !== w2 || address.w1 !== w1 || address.w0 !== w0) continue
      if (link === ifindex) return false
      isElsewhere = true
    }
    return isElsewhere
  }

  values(): IterableIterator<Link> { return this.#links.values() }
  /** All usable addresses that are not link-local. Addresses of loopback are left out, because hosts may have no route to them. */
  get globals(): readonly LinkAddress[] { return this.#globals }

  /** Adds a link or replaces it. */
  set(link: Link): void {
    this.#links.set(link.ifindex, link)
    this.#index()
  }

  delete(ifindex: number): void {
    this.#links.delete(ifindex)
    this.#index()
  }

  /** @returns the links where this machine has the address; undefined: none */
  own(w0: number, w1: number, w2: number, w3: number): readonly OwnAddress[] | undefined { return this.#own.get(w0, w1, w2, w3) }

  /** @returns whether the target is in the prefix of an address of this link */
  hasPrefixOf(ifindex: number, target: Address): boolean {
    return this.#onLink.some((own) => own.ifindex === ifindex && own.prefix.contains(target))
  }

  #index(): void {
    this.#own = new AddressMap(this.#random)
    this.#onLink = []
    this.#globals = []
    for (const { ifindex, name, addresses } of this.#links.values()) {
      for (const linkAddress of addresses) {
        const { address, address: { w0, w1, w2, w3 }, prefixLength, tentative } = linkAddress
        if (!address.isLinkLocal && prefixLength < 128) this.#onLink.push({ prefix: new Prefix(address, prefixLength), ifindex })
        const own = { ifindex, loopback: name === 'lo', tentative }
        if (!own.loopback && !tentative && !address.isLinkLocal) this.#globals.push(linkAddress)
        const places = this.#own.get(w0, w1, w2, w3)
        if (places === undefined) this.#own.set(w0, w1, w2, w3, [own])
        else places.push(own)
      }
    }
  }
}

/** @returns the subnet-router anycast addresses that the kernel of a router has on a link (RFC 4291 2.6.1), as /128 prefixes */
export function anycastOf({ addresses }: Link): Prefix[] {
  // For a /127, which is the prefix of a point-to-point link (RFC 6164), or a /128, the kernel has no anycast address.
  return addresses.filter(({ address, prefixLength }) => !address.isLinkLocal && prefixLength < 127)
    .map(({ address, prefixLength }) => new Prefix(new Prefix(address, prefixLength).address, 128))
}
