/**
 * Netlink sockets (netlink(7)). The kernel carries out requests inside send(), so the reply waits in the receive buffer when send()
 * returns. Sockets for events are separate.
 */
import { decodeCompletion, messages, MessageWriter, NLM_F_DUMP_INTR, NLMSG_DONE } from '../wire/netlink.ts'
import type { Message } from '../wire/netlink.ts'
import { osError, verdict } from './errors.ts'
import type { OsError } from './errors.ts'
import type { NativeAddon, NativeSocket } from './native.ts'

export const NETLINK_NETFILTER = 12

export type OpenNetlink = NativeAddon['openNetlink']

/** Bytes: the kernel never makes a part of a dump larger. */
const SLOT = 32 * 1024
const SLOTS = 8
const RECEIVE_BUFFER = 4 * 2 ** 20
/** How often a dump is tried that was interrupted by changes. */
const DUMP_ATTEMPTS = 10
/** Largest number of receive calls in one turn of the event loop. */
const EVENT_ROUNDS = 32
const NO_FILTER: Uint8Array = new Uint8Array(0)
const ENOBUFS = 105
const EINTR = 4

const ignore = (): void => {}

/** A socket for requests; each call is complete when it returns. */
export class RequestSocket {
  readonly #socket: NativeSocket
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  readonly #length = new Int32Array(1)
  #sequence = 0
  #port = 0

  /**
   * @param protocol NETLINK_ROUTE or NETLINK_NETFILTER
   * @param sendBuffer bytes, for datagrams larger than the default of about 200 KB
   * @throws OsError
   */
  constructor(open: OpenNetlink, protocol: number, sendBuffer = 0) {
    this.#socket = open(protocol, new Uint32Array(0), NO_FILTER, RECEIVE_BUFFER, sendBuffer)
  }

  /**
   * Sends one datagram of messages and receives the replies.
   * @param compose writes up to 2^16 messages with the sequence numbers `first`, `first` + 1 ..., and returns their number. The last
   *   message requests an acknowledgement or is a dump.
   * @param reply called for everything but acknowledgements; the message is a view
   * @returns the errors of refused messages, by index
   * @throws OsError when the datagram could not be sent or replies were lost (ENOBUFS): judge it by `verdict`
   */
  request(
    compose: (w: MessageWriter, first: number) => number, reply: (message: Message) => void = ignore,
  ): Map<number, OsError> {
    const first = this.#sequence
    const writer = new MessageWriter()
    const count = compose(writer, first)
    this.#sequence = (first + count) % 2 ** 31
    const bytes = writer.bytes
    this.#length[0] = bytes.length
    if (this.#socket.send(bytes, bytes.length, this.#length, 1) !== 1) throw osError(ENOBUFS, 'send')
    return this.#collect(first, count, reply)
  }

  /**
   * Dumps a table. @returns its rows, all of one consistent state
   * @throws OsError of the kernel's refusal; EINTR when the table changed during every attempt
   */
  dump<Row>(compose: (w: MessageWriter, sequence: number) => void, decode: (message: Message) => Row | undefined): Row[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const rows: Row[] = []
      let interrupted = false
      const failed = this.request((w, sequence) => {
        compose(w, sequence)
        return 1
      }, (message) => {
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0
        const row = decode(message)
        if (row !== undefined) rows.push(row)
      })
      const error = failed.get(0)
      if (error !== undefined && error.code !== 'EINTR') throw error
      if (error === undefined && !interrupted) return rows
    }
    throw osError(EINTR, 'netlink dump', 'the table changed during every attempt')
  }

  /** Our netlink address, which marks our changes in notifications; 0 before the first reply. */
  get port(): number { return this.#port }

  /** Turns this socket into one for the messages that a request subscribed it to. No request may follow. */
  listen(listener: EventListener): EventSocket { return new EventSocket(() => this.#socket, 0, [], listener) }

  close(): void { this.#socket.close() }

  /** Receives until the last of `count` requests is acknowledged, or nothing is left. */
  #collect(first: number, count: number, reply: (message: Message) => void): Map<number, OsError> {
    const failed = new Map<number, OsError>()
    let complete = false
    while (!complete) {
      const received = this.#socket.receive(this.#slab, SLOT, this.#meta)
      // A batch that is refused as a whole has one acknowledgement, at its first message.
      if (received === 0 && failed.size > 0) break
      if (received === 0) throw osError(ENOBUFS, 'recv', 'no reply')
      for (let i = 0; i < received; i++) {
        for (const message of messages(this.#slab, i * SLOT, i * SLOT + Math.min(SLOT, this.#meta[4 * i]))) {
          const index = message.sequence - first
          // A late reply to an earlier request.
          if (index < 0 || index >= count) continue
          this.#port = message.port
          const completion = decodeCompletion(message)
          if (completion === undefined) {
            reply(message)
            continue
          }
          // NLM_F_DUMP_INTR may be set on the end of a dump only.
          if (message.type === NLMSG_DONE) reply(message)
          if (completion.errno !== 0) failed.set(index, osError(completion.errno, 'netlink', completion.text))
          complete ||= index === count - 1
        }
      }
    }
    return failed
  }
}

export interface EventListener {
  /** One message; a view. */
  message(message: Message): void
  /** All waiting messages have been handed over. */
  settled(): void
  /** Messages were lost: dump everything again. */
  overrun(): void
}

/** A socket for events: of multicast groups, or of a request. */
export class EventSocket {
  readonly #socket: NativeSocket
  readonly #listener: EventListener
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  #closed = false

  /**
   * Listens at once; the listener is called from the event loop.
   * @param filter classic BPF that passes the wanted messages, or empty
   * @throws OsError
   */
  constructor(
    open: OpenNetlink, protocol: number, groups: readonly number[], listener: EventListener, filter = NO_FILTER,
  ) {
    this.#listener = listener
    this.#socket = open(protocol, Uint32Array.from(groups), filter, RECEIVE_BUFFER)
    this.#socket.start(() => this.#readable())
  }

  close(): void {
    this.#closed = true
    this.#socket.close()
  }

  #readable(): void {
    let lost = false
    for (let round = 0; round < EVENT_ROUNDS && !this.#closed; round++) {
      let received
      try {
        received = this.#socket.receive(this.#slab, SLOT, this.#meta)
      } catch (error) {
        if (verdict(error) !== 'retry') throw error
        lost = true
        continue
      }
      if (received === 0) break
      for (let i = 0; i < received; i++) {
        for (const message of messages(this.#slab, i * SLOT, i * SLOT + Math.min(SLOT, this.#meta[4 * i]))) {
          if (message.type > NLMSG_DONE) this.#listener.message(message)
        }
      }
    }
    if (this.#closed) return
    if (lost) this.#listener.overrun()
    else this.#listener.settled()
  }
}
