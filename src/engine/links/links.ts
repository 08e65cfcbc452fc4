/** The links of this machine and their addresses. */
import { type Address, Prefix } from '../../address.ts'
import { AddressMap } from '../tables/address-map.ts'
import type { Link, Random } from '../types.ts'

export interface OwnAddress {
  readonly ifindex: number
  readonly loopback: boolean
  readonly tentative: boolean
}

export class Links {
  readonly #links = new Map<number, Link>()
  readonly #random: Random
  #own: AddressMap<OwnAddress[]>
  /** Prefixes of addresses. The kernel has a connected route for each. */
  #onLink: { readonly prefix: Prefix; readonly ifindex: number }[] = []

  constructor(random: Random) {
    this.#random = random
    this.#own = new AddressMap(random)
  }

  get(ifindex: number): Link | undefined { return this.#links.get(ifindex) }
  up(ifindex: number): boolean { return this.#links.get(ifindex)?.up ?? false }
  values(): IterableIterator<Link> { return this.#links.values() }

  /** Adds a link or replaces it. @returns whether results of `covers` may have changed */
  set(link: Link): boolean {
    this.#links.set(link.ifindex, link)
    return this.#index()
  }

  delete(ifindex: number): void {
    this.#links.delete(ifindex)
    this.#index()
  }

  /** @returns the links where this machine has the address; undefined: none */
  own(w0: number, w1: number, w2: number, w3: number): readonly OwnAddress[] | undefined { return this.#own.get(w0, w1, w2, w3) }

  /** @returns whether the kernel routes `target` to this link without a host route, by a connected prefix that no other link has */
  covers(ifindex: number, target: Address): boolean {
    let best = -1
    let only = false
    for (const { prefix, ifindex: link } of this.#onLink) {
      if (prefix.length < best || !prefix.contains(target)) continue
      only = link === ifindex && (prefix.length > best || only)
      best = prefix.length
    }
    return only
  }

  /** Indexes all addresses. @returns whether the connected prefixes changed */
  #index(): boolean {
    const before = this.#onLink
    this.#own = new AddressMap(this.#random)
    this.#onLink = []
    for (const { ifindex, name, addresses } of this.#links.values()) {
      for (const { address, prefixLength, tentative } of addresses) {
        const { w0, w1, w2, w3 } = address
        if (!address.isLinkLocal && prefixLength < 128) this.#onLink.push({ prefix: new Prefix(address, prefixLength), ifindex })
        const own = { ifindex, loopback: name === 'lo', tentative }
        const places = this.#own.get(w0, w1, w2, w3)
        if (places === undefined) this.#own.set(w0, w1, w2, w3, [own])
        else places.push(own)
      }
    }
    return this.#onLink.length !== before.length
      || this.#onLink.some(({ prefix, ifindex }, at) => ifindex !== before[at].ifindex || !prefix.equals(before[at].prefix))
  }
}

/** @returns the subnet-router anycast addresses that the kernel of a router has on a link (RFC 4291 2.6.1), as prefixes of one address */
export function anycastOf({ addresses }: Link): Prefix[] {
  // The kernel has none for the prefixes of point-to-point links (RFC 6164).
  return addresses.filter(({ address, prefixLength }) => !address.isLinkLocal && prefixLength < 127)
    .map(({ address, prefixLength }) => new Prefix(new Prefix(address, prefixLength).address, 128))
}
