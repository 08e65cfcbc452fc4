/**
 * Netlink sockets (netlink(7)): one for requests, which the kernel carries out inside send(), so that the answer
 * waits in the receive buffer when send() returns; and one for events, which is used for requests at most before.
 */
import { decodeCompletion, messages, MessageWriter, NLM_F_DUMP_INTR, NLMSG_DONE } from '../wire/netlink.ts'
import type { Message } from '../wire/netlink.ts'
import { osError, verdict } from './errors.ts'
import type { OsError } from './errors.ts'
import type { NativeAddon, NativeSocket } from './native.ts'

export const NETLINK_NETFILTER = 12

export type OpenNetlink = NativeAddon['openNetlink']

/** The kernel never makes a dump's part larger than this. */
const SLOT = 32 * 1024
const SLOTS = 8
const RECEIVE_BUFFER = 4 * 2 ** 20
/** A dump that changed under the kernel's hands is asked for again this often. */
const DUMP_ATTEMPTS = 10
/** Receive calls in one turn of the event loop. */
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
   * @param sendBuffer bytes, for datagrams beyond the system's default of about 200 KB. Throws an OsError.
   */
  constructor(open: OpenNetlink, protocol: number, sendBuffer = 0) {
    this.#socket = open(protocol, new Uint32Array(0), NO_FILTER, RECEIVE_BUFFER, sendBuffer)
  }

  /**
   * Sends one datagram of messages and takes in the answers.
   * @param compose writes `count` messages (any number up to 2^16) with the sequence numbers `first`, `first` + 1 ...;
   *   the last that matters asks for an acknowledgement or is a dump.
   * @param answer called for everything but acknowledgements; the message is a view.
   * @returns what failed, by index; empty when all went well.
   * @throws OsError when the datagram could not be sent or its answers were lost (ENOBUFS): judge it by `verdict`.
   */
  request(
    compose: (w: MessageWriter, first: number) => number, answer: (message: Message) => void = ignore,
  ): Map<number, OsError> {
    const first = this.#sequence
    const writer = new MessageWriter()
    const count = compose(writer, first)
    this.#sequence = (first + count) % 2 ** 31
    const bytes = writer.bytes
    this.#length[0] = bytes.length
    if (this.#socket.send(bytes, bytes.length, this.#length, 1) !== 1) throw osError(ENOBUFS, 'send')
    return this.#collect(first, count, answer)
  }

  /**
   * Asks for a whole table and hands over its rows, all of one consistent state.
   * @throws OsError of the kernel's refusal; EINTR when the table never held still.
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
    throw osError(EINTR, 'netlink dump', 'the table changes all the time')
  }

  /** Our netlink address, by which others' changes are told from ours; 0 before the first answer. */
  get port(): number { return this.#port }

  /** Hands the socket over, for what a request made the kernel send it from now on. No request may follow. */
  listen(listener: EventListener): EventSocket { return new EventSocket(() => this.#socket, 0, [], listener) }

  close(): void { this.#socket.close() }

  /** Reads until the last of `count` requests is answered for, or nothing is left to read. */
  #collect(first: number, count: number, answer: (message: Message) => void): Map<number, OsError> {
    const failed = new Map<number, OsError>()
    let complete = false
    while (!complete) {
      const received = this.#socket.receive(this.#slab, SLOT, this.#meta)
      // A refused batch is answered for once, at its first message.
      if (received === 0 && failed.size > 0) break
      if (received === 0) throw osError(ENOBUFS, 'recv', 'no answer')
      for (let i = 0; i < received; i++) {
        for (const message of messages(this.#slab, i * SLOT, i * SLOT + Math.min(SLOT, this.#meta[4 * i]))) {
          const index = message.sequence - first
          // What an earlier request that was given up left behind.
          if (index < 0 || index >= count) continue
          this.#port = message.port
          const completion = decodeCompletion(message)
          if (completion === undefined) {
            answer(message)
            continue
          }
          // The mark of an interrupted dump may stand on its end alone.
          if (message.type === NLMSG_DONE) answer(message)
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
  /** All that waited has been handed over. */
  settled(): void
  /** Messages were lost: what is known may be wrong; ask for everything again (checklist P11). */
  overrun(): void
}

/** A socket that listens: to multicast groups, or to what was requested. */
export class EventSocket {
  readonly #socket: NativeSocket
  readonly #listener: EventListener
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  #closed = false

  /**
   * Listens at once; the listener is called from the event loop.
   * @param filter classic BPF that passes what is wanted, or empty. Throws an OsError.
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
