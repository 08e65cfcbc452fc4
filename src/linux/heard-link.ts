/**
 * Everything that one heard link owns: its packet socket, its solicitor, and the claim that keeps a second ndp6d off it.
 * Closing it closes all three; nothing of them outlives the process.
 */
import type { Address } from '../address.ts'
import type { Advertisement, Link, UnicastProbe } from '../engine/types.ts'
import type { NativeSocket } from './native.ts'
import { native } from './native.ts'
import { PacketSocket } from './packet.ts'
import type { PacketCounters, PacketReader } from './packet.ts'
import { Solicitor } from './solicitor.ts'

export class HeardLink {
  readonly name: string
  readonly promiscuous: boolean
  readonly #claim: NativeSocket
  readonly #packets: PacketSocket
  readonly #solicitor: Solicitor

  /** Throws an OsError; EADDRINUSE: another process of ours has the link. */
  constructor({ ifindex, name, mac }: Link, promiscuous: boolean, reader: PacketReader) {
    this.name = name
    this.promiscuous = promiscuous
    // An abstract name belongs to the network namespace and ends with the process (unix(7)).
    this.#claim = native.openUnix(`@ndp6d/${ifindex}`, '')
    try {
      this.#packets = new PacketSocket({ ifindex, mac, promiscuous, cooked: mac === undefined }, reader)
    } catch (error) {
      this.#claim.close()
      throw error
    }
    try {
      this.#solicitor = new Solicitor({ name, mac }, (error) => reader.failed(error))
    } catch (error) {
      this.#packets.close()
      this.#claim.close()
      throw error
    }
  }

  /** The link's address changed. */
  follow({ mac }: Link): void {
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
    this.#claim.close()
  }
}
