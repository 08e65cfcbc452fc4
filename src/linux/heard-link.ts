/**
 * Everything that one heard link owns: its sockets. Nothing of them outlives the process.
 */
import { randomInt } from 'node:crypto'
import type { Address, Mac } from '../address.ts'
import type { Advertisement, Hearing, Link, MulticastMessage, UnicastProbe } from '../engine/types.ts'
import { Discovery } from './discovery.ts'
import { Memberships } from './memberships.ts'
import { MulticastSocket } from './multicast.ts'
import type { MulticastReader } from './multicast.ts'
import { OwnSolicitations } from './own-solicitations.ts'
import { PacketSocket } from './packet.ts'
import type { PacketCounters, PacketReader } from './packet.ts'
import { Solicitor } from './solicitor.ts'

/** What comes in; trouble of all sockets goes to `failed`. */
export interface LinkReader extends PacketReader, MulticastReader {
  echo(source: Address, mac: Mac | undefined): void
  /** The kernel itself asks for `target`. */
  solicited(target: Address): void
}

export class HeardLink {
  name: string
  readonly #ifindex: number
  readonly #reader: LinkReader
  #packets: PacketSocket
  readonly #solicitor: Solicitor
  readonly #memberships: Memberships
  readonly #discovery: Discovery
  #hearing: Hearing
  #ownSolicitations: OwnSolicitations | undefined
  #multicast: MulticastSocket | undefined

  /** Throws an OsError. */
  constructor(link: Link, hearing: Hearing, reader: LinkReader) {
    const { ifindex, name, mac } = link
    this.name = name
    this.#ifindex = ifindex
    this.#reader = reader
    this.#hearing = hearing
    const failed = (error: Error): void => reader.failed(error)
    this.#memberships = new Memberships(link, failed)
    this.#discovery = new Discovery(link, randomInt(2 ** 16), reader)
    this.#packets = this.#openPackets(mac)
    try {
      this.#solicitor = new Solicitor({ name, mac }, failed)
      this.#openMore(mac)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The link, or the manner of hearing it, changed. Throws an OsError. */
  follow({ mac, name }: Link, hearing: Hearing): void {
    this.name = name
    this.#packets.mac = mac
    this.#solicitor.mac = mac
    const { promiscuous, reports, routerSolicitations, ownSolicitations } = this.#hearing
    this.#hearing = hearing
    if (hearing.promiscuous !== promiscuous) {
      this.#packets.close()
      this.#packets = this.#openPackets(mac)
    }
    if (hearing.ownSolicitations !== ownSolicitations) this.#ownSolicitations = close(this.#ownSolicitations)
    if (hearing.reports !== reports || hearing.routerSolicitations !== routerSolicitations) this.#multicast = close(this.#multicast)
    if (this.#ownSolicitations !== undefined) this.#ownSolicitations.mac = mac
    if (this.#multicast !== undefined) this.#multicast.mac = mac
    this.#openMore(mac)
    this.#memberships.retry()
  }

  solicit(target: Address): void { this.#solicitor.solicit(target) }
  confirm(probe: UnicastProbe): void { this.#packets.solicit(probe) }
  advertise(advertisement: Advertisement): void { this.#packets.advertise(advertisement) }
  flush(): void { this.#packets.flush() }
  join(group: Address): void { this.#memberships.join(group) }
  leave(group: Address): void { this.#memberships.leave(group) }
  discover(sources: readonly Address[]): void { this.#discovery.discover(sources) }
  multicast(message: MulticastMessage): void { this.#multicast?.send(message) }

  get counters(): PacketCounters {
    this.#packets.drops()
    return this.#packets.counters
  }

  close(): void {
    close(this.#ownSolicitations)
    close(this.#multicast)
    this.#discovery.close()
    this.#memberships.close()
    this.#solicitor?.close()
    this.#packets.close()
  }

  #openPackets(mac: Mac | undefined): PacketSocket {
    const { promiscuous } = this.#hearing
    return new PacketSocket({ ifindex: this.#ifindex, mac, promiscuous, cooked: mac === undefined }, this.#reader)
  }

  #openMore(mac: Mac | undefined): void {
    const link = { ifindex: this.#ifindex, mac }
    const { ownSolicitations, reports, routerSolicitations } = this.#hearing
    if (ownSolicitations) this.#ownSolicitations ??= new OwnSolicitations(link, this.#reader)
    if (reports || routerSolicitations) this.#multicast ??= new MulticastSocket({ ...link, reports, routerSolicitations }, this.#reader)
  }
}

function close(socket: { close(): void } | undefined): undefined {
  socket?.close()
  return undefined
}
