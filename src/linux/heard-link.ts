/**
 * Everything that one heard link owns: its sockets. Nothing of them outlives the process.
 */
import { randomInt } from 'node:crypto'
import type { Address, Mac } from '../address.ts'
import type { Advertisement, Hearing, Link, MulticastMessage, UnicastProbe } from '../engine/types.ts'
import { Discovery } from './discovery.ts'
import { verdict } from './errors.ts'
import { Memberships } from './memberships.ts'
import { MulticastSocket } from './multicast.ts'
import type { MulticastReader } from './multicast.ts'
import { OwnSolicitations } from './own-solicitations.ts'
import { PacketSocket } from './packet.ts'
import type { PacketReader } from './packet.ts'
import { Solicitor } from './solicitor.ts'

/** What comes in; trouble of all sockets goes to `failed`. */
export interface LinkReader extends PacketReader, MulticastReader {
  echo(source: Address, mac: Mac | undefined): void
  /** The kernel itself asks for `target`. */
  solicited(target: Address): void
}

/** Sockets that could not be opened are tried again after this time. Milliseconds. */
const RETRY = 1000

export class HeardLink {
  #link: Link
  #hearing: Hearing
  readonly #reader: LinkReader
  readonly #memberships: Memberships
  readonly #discovery: Discovery
  #packets: PacketSocket | undefined
  #solicitor: Solicitor | undefined
  #ownSolicitations: OwnSolicitations | undefined
  #multicast: MulticastSocket | undefined
  #timer: NodeJS.Timeout | undefined

  /** Throws an OsError that is fatal; what may work later is told to `failed`, and tried again. */
  constructor(link: Link, hearing: Hearing, reader: LinkReader) {
    this.#link = link
    this.#hearing = hearing
    this.#reader = reader
    this.#memberships = new Memberships(link, (error) => reader.failed(error))
    this.#discovery = new Discovery(link, randomInt(2 ** 16), reader)
    this.#open()
  }

  get name(): string { return this.#link.name }
  get ifindex(): number { return this.#link.ifindex }

  /** The link, or the manner of hearing it, changed. Throws like the constructor. */
  follow(link: Link, hearing: Hearing): void {
    const { promiscuous, ring, reports, routerSolicitations, ownSolicitations } = this.#hearing
    this.#link = link
    this.#hearing = hearing
    if (hearing.promiscuous !== promiscuous || hearing.ring !== ring) this.#packets = close(this.#packets)
    if (hearing.ownSolicitations !== ownSolicitations) this.#ownSolicitations = close(this.#ownSolicitations)
    if (hearing.reports !== reports || hearing.routerSolicitations !== routerSolicitations) this.#multicast = close(this.#multicast)
    for (const socket of [this.#packets, this.#solicitor, this.#ownSolicitations, this.#multicast]) {
      if (socket !== undefined) socket.mac = link.mac
    }
    this.#open()
  }

  solicit(target: Address): void { this.#solicitor?.solicit(target) }
  confirm(probe: UnicastProbe): void { this.#packets?.solicit(probe) }
  advertise(advertisement: Advertisement): void { this.#packets?.advertise(advertisement) }
  flush(): void { this.#packets?.flush() }
  join(group: Address): void { this.#memberships.join(group) }
  leave(group: Address): void { this.#memberships.leave(group) }
  discover(sources: readonly Address[]): void { this.#discovery.discover(sources) }
  multicast(message: MulticastMessage): void { this.#multicast?.send(message) }

  close(): void {
    clearTimeout(this.#timer)
    for (const socket of [this.#packets, this.#solicitor, this.#ownSolicitations, this.#multicast]) close(socket)
    this.#discovery.close()
    this.#memberships.close()
  }

  /** Opens what is wanted and not open yet. */
  #open(): void {
    clearTimeout(this.#timer)
    const { ifindex, name, mac } = this.#link
    const { promiscuous, ring, ownSolicitations, reports, routerSolicitations } = this.#hearing
    const reader = this.#reader
    try {
      this.#packets ??= new PacketSocket({ ifindex, mac, promiscuous, ring, cooked: mac === undefined }, reader)
      this.#solicitor ??= new Solicitor({ name, mac }, (error) => reader.failed(error))
      if (ownSolicitations) this.#ownSolicitations ??= new OwnSolicitations({ ifindex, mac }, reader)
      if (reports || routerSolicitations) this.#multicast ??= new MulticastSocket({ ifindex, mac, reports, routerSolicitations }, reader)
    } catch (error) {
      if (verdict(error) === 'fatal') {
        this.close()
        throw error
      }
      reader.failed(error as Error)
      this.#timer = setTimeout(() => this.#open(), RETRY)
      return
    }
    this.#memberships.retry()
  }
}

function close(socket: { close(): void } | undefined): undefined {
  socket?.close()
  return undefined
}
