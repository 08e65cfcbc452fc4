/** The link watcher: turns rtnetlink(7) messages about links and IPv6 addresses into {@link Link} values, and reports changes. */
import type { Link, LinkAddress } from '../engine-types.ts'
import type { Message } from '../wire/netlink.ts'
import {
  decodeAddress, decodeLink, RTM_DELADDR, RTM_DELLINK, RTNLGRP_IPV6_IFADDR, RTNLGRP_LINK, type AddressMessage, type LinkMessage,
} from '../wire/rtnetlink.ts'
import { TableWatcher } from './table-watcher.ts'

export interface LinkListener {
  link(link: Link): void
  /** A link was deleted, or became a port. A later link may have the same name, and even the same ifindex. */
  gone(ifindex: number, name: string): void
  /** The other end of a link was replaced: switches there have not learned our addresses. */
  replugged(ifindex: number): void
  /**
   * A link became a port of `master`: a bridge, bond or team, which now gets all packets of the link. If the link was reported, `gone` is
   * called too.
   */
  enslaved?(name: string, master: string): void
}

interface Tables { readonly links: LinkMessage[]; readonly addresses: AddressMessage[] }

export class LinkWatcher extends TableWatcher<Tables, LinkListener> {
  protected readonly pause = 100
  /** The kernel's links and their addresses, by ifindex. */
  #links = new Map<number, LinkMessage>()
  #addresses = new Map<number, Map<string, LinkAddress>>()
  /** Links as they were reported last. */
  readonly #reported = new Map<number, Link>()
  /** Links that may differ from the last report. */
  readonly #touched = new Set<number>()
  readonly #replugged = new Set<number>()
  /** Ports that were reported by `enslaved`: the ifindex of the master, by the ifindex of the port. */
  readonly #ports = new Map<number, number>()

  /** Reports all links, loopback as well, then every change until {@link close}. @throws OsError */
  start(): void {
    this.listen([RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR])
    this.resync()
  }

  /** Links as they were reported last. */
  get links(): readonly Link[] { return [...this.#reported.values()] }
  /** Names of the ports of bridges, bonds and teams. */
  get ports(): readonly string[] { return [...this.#ports.keys()].map((ifindex) => this.#links.get(ifindex)?.name ?? '') }

  protected dump(): Tables { return { links: this.kernel.links(), addresses: this.kernel.addresses() } }

  protected compare({ links, addresses }: Tables): void {
    this.#links = new Map(links.map((link) => [link.ifindex, link]))
    this.#addresses = new Map()
    for (const address of addresses) this.#addAddress(address)
    for (const ifindex of this.#reported.keys()) this.#forget(ifindex)
    for (const ifindex of this.#links.keys()) this.#touched.add(ifindex)
    this.settled()
  }

  override message(message: Message): void {
    const link = decodeLink(message)
    const address = link === undefined ? decodeAddress(message) : undefined
    if (link !== undefined && message.type === RTM_DELLINK) {
      this.#links.delete(link.ifindex)
      this.#addresses.delete(link.ifindex)
      // Reports the deletion at once, because a later link with the same ifindex is another link.
      this.#forget(link.ifindex)
    } else if (link !== undefined) {
      this.#links.set(link.ifindex, link)
      this.#touched.add(link.ifindex)
      if (link.replugged) this.#replugged.add(link.ifindex)
    } else if (address !== undefined && message.type === RTM_DELADDR) {
      this.#addresses.get(address.ifindex)?.delete(address.address.toString())
      this.#touched.add(address.ifindex)
    } else if (address !== undefined) {
      this.#addAddress(address)
      this.#touched.add(address.ifindex)
    }
  }

  #addAddress({ ifindex, address, prefixLength, tentative, deprecated }: AddressMessage): void {
    let addresses = this.#addresses.get(ifindex)
    if (addresses === undefined) this.#addresses.set(ifindex, addresses = new Map())
    addresses.set(address.toString(), { address, prefixLength, tentative, ...deprecated === true && { deprecated } })
  }

  /** Reports a link as gone if it was reported before, and now is deleted or a port. */
  #forget(ifindex: number): void {
    const link = this.#links.get(ifindex)
    if (link?.master === undefined) this.#ports.delete(ifindex)
    const reported = this.#reported.get(ifindex)
    if (reported === undefined || (link !== undefined && link.master === undefined)) return
    this.#reported.delete(ifindex)
    this.listener.gone(ifindex, reported.name)
  }

  #enslave({ ifindex, name }: LinkMessage, master: number): void {
    const reported = this.#reported.get(ifindex)
    // The kernel keeps the routes of a port, so the link is first reported as down: the listener then removes its host routes.
    if (reported?.up === true) this.listener.link({ ...reported, up: false })
    this.#forget(ifindex)
    if (this.#ports.get(ifindex) === master) return
    this.#ports.set(ifindex, master)
    this.listener.enslaved?.(name, this.#links.get(master)?.name ?? `link ${master}`)
  }

  override settled(): void {
    for (const ifindex of this.#touched) {
      const message = this.#links.get(ifindex)
      if (message === undefined) continue
      const { name, mac, noarp, up, mtu, master } = message
      if (master !== undefined) {
        this.#enslave(message, master)
        continue
      }
      this.#ports.delete(ifindex)
      const addresses = [...this.#addresses.get(ifindex)?.values() ?? []].sort((a, b) => a.address.compare(b.address))
      const link: Link = { ifindex, name, mac, ...noarp && { noarp }, up, mtu, addresses }
      const reported = this.#reported.get(ifindex)
      if (reported !== undefined && sameLink(reported, link)) continue
      this.#reported.set(ifindex, link)
      this.listener.link(link)
    }
    this.#touched.clear()
    for (const ifindex of this.#replugged) if (this.#reported.has(ifindex)) this.listener.replugged(ifindex)
    this.#replugged.clear()
  }
}

function sameLink(a: Link, b: Link): boolean {
  return a.name === b.name && a.mac === b.mac && a.noarp === b.noarp && a.up === b.up && a.mtu === b.mtu && a.addresses.length === b.addresses.length
    && a.addresses.every((x, i) => {
      const y = b.addresses[i]
      return x.address.equals(y.address) && x.prefixLength === y.prefixLength && x.tentative === y.tentative
        && x.deprecated === y.deprecated
    })
}
