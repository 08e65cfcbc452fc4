/** The solicited-node groups that are joined on each link (RFC 4861 7.2.1, 7.2.8). Several addresses may share a group (RFC 4291 2.7.1). */
import { Address } from '../../address.ts'
import type { ListenerQuery } from '../../wire/mld-decode.ts'
import { linkLocal } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import type { Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'
import type { Limit } from '../../events.ts'
import { MldListener, suffixOf } from './mld-listener.ts'

/** Number of possible solicited-node groups: they differ in 24 bits only. So no link can join more groups. */
const GROUPS = 2 ** 24

/** A link that is listened to or has groups. Its deadline is the time of the next report. */
interface Member extends Timed {
  readonly ifindex: number
  readonly listener: MldListener
  /** Rank of the source of reports (RFC 3810 5.2.13). 0: no source, the link is down; 1: `::`; 2: a link-local address. */
  sourceRank: 0 | 1 | 2
}

export class Groups extends TimedPart<Omit<Context, 'rules'>, Member> {
  get limits(): Limit[] {
    const used = [...this.records.values()].reduce((most, { listener }) => Math.max(most, listener.size), 0)
    return [{ name: 'joined groups of one link, at most', used, size: GROUPS }]
  }

  size(ifindex: number): number { return this.records.get(ifindex)?.listener.size ?? 0 }

  /** Joins the group of an address. Calls are counted: addresses may share a group. @param address a unicast address or the group itself */
  add(ifindex: number, address: Address): void {
    const member = this.#at(ifindex)
    member.listener.add(suffixOf(address))
    this.#schedule(member)
  }

  /** Undoes one `add`. @throws Error if no `add` is left to undo: the link would leave a group that another address needs */
  remove(ifindex: number, address: Address): void {
    const member = this.records.get(ifindex)
    if (member?.listener.remove(suffixOf(address)) !== true) {
      throw new Error(`link ${ifindex} is no member of ${address.solicitedNode}, so ${address} cannot leave it`)
    }
    this.#schedule(member)
  }

  /** Starts to report the groups of a link, now that its packets are received. A second call has no effect. */
  listening(ifindex: number): void {
    this.#at(ifindex).listener.isReporting = true
    this.link(ifindex)
  }

  /** Handles a change of the link or its addresses. Reports all groups again when the link came up or got a better source. */
  link(ifindex: number): void {
    const member = this.records.get(ifindex)
    if (member?.listener.isReporting !== true) return
    const source = this.#source(ifindex)
    const rank = source === undefined ? 0 : source.isLinkLocal ? 2 : 1
    if (rank > member.sourceRank) member.listener.reportAll()
    member.sourceRank = rank
    this.#schedule(member)
  }

  /** Reports all groups again, because the link may now lead to another switch, which does not know the groups. */
  replugged(ifindex: number): void {
    const member = this.records.get(ifindex)
    if (member?.listener.isReporting !== true) return
    member.listener.reportAll()
    this.#schedule(member)
  }

  /** Leaves all groups of a link that is removed or no longer listened to. `listening` joins the groups again. */
  override gone(ifindex: number): void {
    const member = this.records.get(ifindex)
    if (member === undefined) return
    this.#leave(member)
    member.listener.isReporting = false
    member.sourceRank = 0
    this.#schedule(member)
  }

  /** Schedules the reports that answer a query of another router or of `Snooping`. */
  query(ifindex: number, query: Pick<ListenerQuery, 'version' | 'groups' | 'delay'>, now: Instant): void {
    const member = this.records.get(ifindex)
    if (member === undefined) return
    member.listener.query(query, now)
    this.#schedule(member)
  }

  protected override due(member: Member, now: Instant): void {
    const { ifindex, listener } = member
    const source = this.#source(ifindex)
    if (source === undefined) listener.cancel()
    listener.wake(now, source ?? Address.unspecified)
    this.#schedule(member)
  }

  stop(): void { for (const member of this.records.values()) this.#leave(member) }

  #leave({ ifindex, listener }: Member): void {
    const source = this.#source(ifindex)
    if (source !== undefined && listener.isReporting) listener.leaveAll(source)
    else listener.cancel()
  }

  /** @returns undefined while the link is down */
  #source(ifindex: number): Address | undefined {
    return this.parts.links.up(ifindex) ? linkLocal(this.parts.links, ifindex) ?? Address.unspecified : undefined
  }

  #at(ifindex: number): Member {
    let member = this.records.get(ifindex)
    if (member === undefined) {
      const listener = new MldListener(this.parts.random, (message) => this.parts.effects.multicasts.push({ ifindex, message }))
      member = { ifindex, listener, sourceRank: 0, deadline: 0 as Instant, place: -1 }
      this.records.set(ifindex, member)
    }
    return member
  }

  /** Sets the deadline to the next `wake` of the listener, if any. Removes the record of a link without groups that is not listened to. */
  #schedule(member: Member): void {
    const { ifindex, listener: { next, size, isReporting } } = member
    if (isReporting && next < Number.POSITIVE_INFINITY) this.deadlines.set(member, next)
    else this.deadlines.remove(member)
    if (!isReporting && size === 0) this.records.delete(ifindex)
  }
}
