/** The links of this machine, their addresses, and which of these an advertisement comes from (RFC 4861 4.4). */
import type { Address } from '../address.ts'
import { Prefix } from '../address.ts'
import type { SourceChoice } from '../config/config.ts'
import { AddressMap } from './address-map.ts'
import type { Link, Random } from './types.ts'

export interface OwnAddress {
  readonly ifindex: number
  readonly loopback: boolean
  readonly tentative: boolean
}

export class Links {
  readonly #links = new Map<number, Link>()
  readonly #random: Random
  #own: AddressMap<OwnAddress[]>
  /** Prefixes that the kernel has routes for because an address brought them. */
  #onLink: { readonly prefix: Prefix; readonly ifindex: number }[] = []

  constructor(random: Random) {
    this.#random = random
    this.#own = new AddressMap(random)
  }

  get(ifindex: number): Link | undefined { return this.#links.get(ifindex) }
  up(ifindex: number): boolean { return this.#links.get(ifindex)?.up ?? false }
  values(): IterableIterator<Link> { return this.#links.values() }

  /** @returns whether `covers` may say something else now */
  set(link: Link): boolean {
    this.#links.set(link.ifindex, link)
    return this.#index()
  }

  delete(ifindex: number): void {
    this.#links.delete(ifindex)
    this.#index()
  }

  /** Where this machine has the address; undefined when nowhere. */
  own(w0: number, w1: number, w2: number, w3: number): readonly OwnAddress[] | undefined {
    return this.#own.get(w0, w1, w2, w3)
  }

  /**
   * The source of an advertisement for `target` on this link: the chosen kind, else the other one that is usable.
   * @returns undefined when the link has no usable address yet (RFC 4862 5.4)
   */
  source({ addresses }: Link, choice: SourceChoice, target: Address | undefined): Address | undefined {
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
   * What to ask all hosts of a link from: an address that is `inside` one of their prefixes, whichever link has it, since hosts
   * answer in kind. One alone: a host that answers two asks for both, and hundreds of them at once overrun a Linux bridge.
   */
  sources({ addresses }: Link, isInside: (address: Address) => boolean): Address[] {
    const globals = [...this.#links.values()].flatMap((link) => link.name === 'lo' ? [] : link.addresses)
      .filter(({ address, tentative }) => !address.isLinkLocal && !tentative)
    const source = globals.find(({ address }) => isInside(address)) ?? globals[0]
      ?? addresses.find(({ tentative }) => !tentative)
    return source === undefined ? [] : [source.address]
  }

  /** Whether the kernel sends packets for `target` to this link anyway, by an on-link prefix that no other link has. */
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

  /** @returns whether the on-link prefixes are others now */
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
