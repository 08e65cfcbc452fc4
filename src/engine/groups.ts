/**
 * Solicited-node groups that are to be heard on each link, for addresses that are answered for (RFC 4861 7.2.1, 7.2.8; RFC
 * 4291 2.7.1): several addresses share a group, and it is left with the last of them.
 */
import { Address } from '../address.ts'
import type { ListenerQuery } from '../wire/mld.ts'
import { Deadlines } from './deadlines.ts'
import type { Timed } from './deadlines.ts'
import type { Links } from './links.ts'
import { Listener, suffixOf } from './listener.ts'
import { linkLocal } from './router-discovery.ts'
import type { Instant, Limit, Random, Sink } from './types.ts'

/** There are no more solicited-node groups. What wants them has limits of its own. */
const GROUPS = 2 ** 24

/** How a link can be spoken to: not at all, from `::`, from its link-local address. */
const SILENT = 0
const NAMELESS = 1
const ABLE = 2

/** A link on which groups are wanted, or that is heard; its deadline is the next report. */
interface Member extends Timed {
  readonly ifindex: number
  readonly listener: Listener
  voice: number
}

export class Groups {
  readonly #links: Links
  readonly #sink: Pick<Sink, 'multicast'>
  readonly #random: Random
  readonly #members = new Map<number, Member>()
  readonly #deadlines = new Deadlines<Member>()

  constructor(links: Links, sink: Pick<Sink, 'multicast'>, random: Random) {
    this.#links = links
    this.#sink = sink
    this.#random = random
  }

  get limits(): Limit[] {
    const used = [...this.#members.values()].reduce((most, { listener }) => Math.max(most, listener.size), 0)
    return [{ name: 'multicast groups of one link, at most', used, size: GROUPS }]
  }

  get deadline(): Instant | undefined { return this.#deadlines.next }

  /** Groups that are wanted on this link. */
  size(ifindex: number): number { return this.#members.get(ifindex)?.listener.size ?? 0 }

  /** One more who wants the group of `address` on this link. @param address unicast, or the group itself */
  add(ifindex: number, address: Address): void {
    const member = this.#at(ifindex)
    member.listener.add(suffixOf(address))
    this.#schedule(member)
  }

  /** Takes back one `add`. @throws Error when there was none: somebody else's group would be at stake. */
  remove(ifindex: number, address: Address): void {
    const member = this.#members.get(ifindex)
    if (member?.listener.remove(suffixOf(address)) !== true) {
      throw new Error(`link ${ifindex} is no member of ${address.solicitedNode}, so ${address} cannot leave it`)
    }
    this.#schedule(member)
  }

  /** The sink hears this link from now on. To hear it in another way changes nothing. */
  heard(ifindex: number): void {
    this.#at(ifindex).listener.isHeard = true
    this.link(ifindex)
  }

  /** The link, or its addresses, changed. A switch hears of all groups when it can hear of them again, or better. */
  link(ifindex: number): void {
    const member = this.#members.get(ifindex)
    if (member?.listener.isHeard !== true) return
    const voice = !this.#links.up(ifindex) ? SILENT : linkLocal(this.#links, ifindex) === undefined ? NAMELESS : ABLE
    if (voice > member.voice) member.listener.begin()
    member.voice = voice
    this.#schedule(member)
  }

  /** Switches at the other end of the link may have heard nothing yet. */
  replugged(ifindex: number): void {
    const member = this.#members.get(ifindex)
    if (member?.listener.isHeard !== true || member.voice === SILENT) return
    member.listener.begin()
    this.#schedule(member)
  }

  /** The sink is about to hear this link no more, or it is no more: all is left. What is wanted stays so. */
  gone(ifindex: number): void {
    const member = this.#members.get(ifindex)
    if (member === undefined) return
    this.#end(member)
    member.listener.isHeard = false
    member.voice = SILENT
    this.#schedule(member)
  }

  /** Somebody asks who listens on this link. */
  query(ifindex: number, query: Pick<ListenerQuery, 'version' | 'groups' | 'delay'>, now: Instant): void {
    const member = this.#members.get(ifindex)
    if (member === undefined) return
    member.listener.query(query, now)
    this.#schedule(member)
  }

  wake(now: Instant): void {
    for (let due = this.#deadlines.due(now); due !== undefined; due = this.#deadlines.due(now)) {
      const { ifindex, listener } = due
      if (!this.#links.up(ifindex)) listener.mute()
      listener.wake(now, this.#source(ifindex), (message) => this.#sink.multicast(ifindex, message))
      this.#schedule(due)
    }
  }

  /** Leaves all groups of all links. */
  stop(): void { for (const member of this.#members.values()) this.#end(member) }

  #end({ ifindex, listener }: Member): void {
    if (listener.isHeard && this.#links.up(ifindex)) listener.end(this.#source(ifindex), (message) => this.#sink.multicast(ifindex, message))
    else listener.mute()
  }

  #source(ifindex: number): Address { return linkLocal(this.#links, ifindex) ?? Address.unspecified }

  #at(ifindex: number): Member {
    let member = this.#members.get(ifindex)
    if (member === undefined) {
      member = { ifindex, listener: new Listener(this.#random), voice: SILENT, deadline: 0 as Instant, place: -1 }
      this.#members.set(ifindex, member)
    }
    return member
  }

  /** After whatever may have changed what is due. */
  #schedule(member: Member): void {
    const { ifindex, listener: { next, size, isHeard } } = member
    if (isHeard && next < Number.POSITIVE_INFINITY) this.#deadlines.set(member, next)
    else this.#deadlines.remove(member)
    if (!isHeard && size === 0) this.#members.delete(ifindex)
  }
}
