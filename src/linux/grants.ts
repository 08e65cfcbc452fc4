/**
 * The grant watcher: reports what the kernel takes from the Router Advertisements of upstreams: lifetimes of prefixes, the MTU, and options
 * for name resolution (rtnetlink(7)). The kernel reports a prefix only when a router advertises it. Until then, the lifetimes are those of
 * the addresses that were made from the prefix. The IPv6 MTU may change with the MTU of the link, or by an advertisement without a prefix.
 * Such a change causes no message about a prefix, so each message about a link causes a report.
 */
import { type Mac, Prefix } from '../address.ts'
import type { Grant, Input } from '../engine-types.ts'
import type { Message } from '../wire/netlink.ts'
import {
  type AddressMessage, decodeAddress, decodeLinkIndex, RTM_DELADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_IFINFO, RTNLGRP_LINK,
} from '../wire/rtnetlink.ts'
import { decodePrefix, decodeUserOption, RTNLGRP_IPV6_PREFIX, RTNLGRP_ND_USEROPT } from '../wire/rtprefix.ts'
import { INFINITY } from '../wire/router-messages.ts'
import { RouterSolicitor } from './router-solicitor.ts'
import { readSetting } from './sysctl.ts'
import { TableWatcher } from './table-watcher.ts'

/**
 * Milliseconds from a message about prefixes, addresses or the MTU to the report. The kernel sends a message for each prefix option, and
 * one report covers all messages of an advertisement.
 */
const PAUSE = 20

/** The most prefixes of one link that are kept: any host on the link can advertise any number. `subnet auto` serves at most 64. */
const PREFIX_LIMIT = 256

/** Ends of the lifetimes of a prefix, on the clock of performance.now(). */
interface Lifetimes {
  readonly prefix: Prefix
  readonly valid: number
  readonly preferred: number
  /** The address that has these lifetimes. Undefined: the router advertised the prefix, so the lifetimes are exact. */
  readonly address: string | undefined
}

export interface GrantListener {
  input(input: Extract<Input, { kind: 'grants' | 'dns' }>): void
  /** @returns the link-layer address of a followed link; undefined if the link has none */
  macOf(ifindex: number): Mac | undefined
  /** An error of sending a Router Solicitation, to be judged by `verdict`. */
  failed(iface: string, error: Error): void
}

export class GrantWatcher extends TableWatcher<AddressMessage[], GrantListener> {
  protected readonly pause = 100
  /** Names of the followed links. */
  #names: ReadonlyMap<number, string> = new Map()
  /** Lifetimes by ifindex, then by prefix. */
  readonly #lifetimes = new Map<number, Map<string, Lifetimes>>()
  readonly #touched = new Set<number>()
  readonly #solicitor = new RouterSolicitor({
    macOf: (ifindex) => this.listener.macOf(ifindex),
    failed: (ifindex, error) => this.listener.failed(this.#names.get(ifindex)!, error),
  })
  #timer: NodeJS.Timeout | undefined

  /**
   * Follows these links and no others. If the links differ from those of the previous call, reports the grants of all links before it
   * returns. Solicits the routers of new links.
   * @param names the names of the links, by ifindex
   * @throws OsError
   */
  follow(names: ReadonlyMap<number, string>): void {
    const isSame = names.size === this.#names.size && [...names].every(([ifindex, name]) => this.#names.get(ifindex) === name)
    if (isSame) return
    const before = this.#names
    this.#names = new Map(names)
    for (const ifindex of before.keys()) if (!names.has(ifindex)) this.#solicitor.stop(ifindex)
    for (const ifindex of this.#lifetimes.keys()) if (!names.has(ifindex)) this.#lifetimes.delete(ifindex)
    if (names.size === 0) return this.close()
    this.listen([RTNLGRP_LINK, RTNLGRP_IPV6_IFINFO, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_PREFIX, RTNLGRP_ND_USEROPT])
    for (const ifindex of names.keys()) if (!before.has(ifindex)) this.#solicitor.start(ifindex)
    this.resync()
  }

  override message(message: Message): void {
    const dns = decodeUserOption(message)
    const prefix = decodePrefix(message)
    const advertised = dns ?? prefix
    if (advertised !== undefined) this.#solicitor.stop(advertised.ifindex)
    if (dns !== undefined && this.#names.has(dns.ifindex)) return this.listener.input({ kind: 'dns', ...dns })
    if (prefix !== undefined) return this.#set(prefix)
    const link = decodeLinkIndex(message)
    if (link !== undefined && this.#names.has(link)) return this.#touch(link)
    const address = decodeAddress(message)
    if (address === undefined) return
    if (message.type !== RTM_DELADDR) return this.#add(address)
    // Another address of the prefix may remain, and it has lifetimes of its own.
    const text = new Prefix(address.address, address.prefixLength).toString()
    if (address.temporary !== true && this.#lifetimes.get(address.ifindex)?.has(text) === true) this.resyncLater()
  }

  override close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#solicitor.close()
    super.close()
  }

  protected dump(): AddressMessage[] { return this.kernel.addresses() }

  protected compare(addresses: AddressMessage[]): void {
    for (const known of this.#lifetimes.values()) {
      for (const [text, { address }] of known) if (address !== undefined) known.delete(text)
    }
    for (const address of addresses) this.#add(address)
    for (const ifindex of this.#names.keys()) this.#touched.add(ifindex)
    this.#report()
  }

  #add({ ifindex, address, prefixLength, valid = INFINITY, preferred = INFINITY, temporary }: AddressMessage): void {
    if (address.isLinkLocal || prefixLength === 128 || temporary === true) return
    const prefix = new Prefix(address, prefixLength)
    const known = this.#lifetimes.get(ifindex)?.get(prefix.toString())
    // An administrator's address, which never expires, does not extend the lifetimes that a router advertised for the prefix.
    const isOther = known !== undefined && known.address !== address.toString() && known.valid > performance.now()
    if (!isOther || valid !== INFINITY) this.#set({ ifindex, prefix, valid, preferred }, address.toString())
  }

  #set({ ifindex, prefix, valid, preferred }: { ifindex: number; prefix: Prefix; valid: number; preferred: number }, address?: string): void {
    if (!this.#names.has(ifindex)) return
    let known = this.#lifetimes.get(ifindex)
    if (known === undefined) this.#lifetimes.set(ifindex, known = new Map())
    const text = prefix.toString()
    const before = known.get(text)
    const now = performance.now()
    // The lifetimes of an address do not replace advertised lifetimes that have not ended yet.
    const isAdvertised = before !== undefined && before.address === undefined && before.valid > now
    if (before === undefined ? known.size >= PREFIX_LIMIT : isAdvertised && address !== undefined) return
    known.set(text, { prefix, valid: now + milliseconds(valid), preferred: now + milliseconds(preferred), address })
    this.#touch(ifindex)
  }

  #touch(ifindex: number): void {
    this.#touched.add(ifindex)
    this.#timer ??= setTimeout(() => this.#report(), PAUSE)
  }

  #report(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const now = performance.now()
    for (const ifindex of this.#touched) {
      const name = this.#names.get(ifindex)
      if (name === undefined) continue
      const known = this.#lifetimes.get(ifindex)
      const grants: Grant[] = []
      for (const [text, { prefix, valid, preferred }] of known ?? []) {
        if (valid <= now) known!.delete(text)
        grants.push({ prefix, valid: Math.max(0, valid - now), preferred: Math.max(0, preferred - now) })
      }
      this.listener.input({ kind: 'grants', ifindex, grants, mtu: readSetting(name, 'mtu') })
    }
    this.#touched.clear()
  }
}

function milliseconds(seconds: number): number { return seconds === INFINITY ? Infinity : 1000 * seconds }
