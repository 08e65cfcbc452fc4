/**
 * Everything that one heard link owns: its packet socket and its solicitor. Nothing of them outlives the process.
 */
import type { Address } from '../address.ts'
import type { Advertisement, Link, UnicastProbe } from '../engine/types.ts'
import { PacketSocket } from './packet.ts'
import type { PacketCounters, PacketReader } from './packet.ts'
import { Solicitor } from './solicitor.ts'

export class HeardLink {
  name: string
  readonly promiscuous: boolean
  readonly #packets: PacketSocket
  readonly #solicitor: Solicitor

  /** Throws an OsError. */
  constructor({ ifindex, name, mac }: Link, promiscuous: boolean, reader: PacketReader) {
    this.name = name
    this.promiscuous = promiscuous
    this.#packets = new PacketSocket({ ifindex, mac, promiscuous, cooked: mac === undefined }, reader)
    try {
      this.#solicitor = new Solicitor({ name, mac }, (error) => reader.failed(error))
    } catch (error) {
      this.#packets.close()
      throw error
    }
  }

  /** The link's address or name changed. */
  follow({ mac, name }: Link): void {
    this.name = name
    this.#packets.mac = mac
    this.#solicitor.mac = mac
  }

  solicit(target: Address): void { this.#solicitor.solicit(target) }
  confirm(probe: UnicastProbe): void { this.#packets.solicit(probe) }
  advertise(advertisement: Advertisement): void { this.#packets.advertise(advertisement) }
  flush(): void { this.#packets.flush() }

  get counters(): PacketCounters {
    this.#packets.drops()
    return this.#packets.counters
  }

  close(): void {
    this.#solicitor.close()
    this.#packets.close()
  }
}
