/**
 * Netlink sockets (netlink(7)). The kernel carries out requests inside send(), so the reply waits in the receive buffer when send()
 * returns. Events arrive on separate sockets.
 */
import { MessageWriter } from '../wire/netlink-encode.ts'
import { decodeCompletion, messages, NLM_F_DUMP_INTR, NLMSG_DONE, type Message } from '../wire/netlink.ts'
import { osError, verdict, type OsError } from './errors.ts'
import type { NativeAddon, NativeSocket } from './native.ts'

export const NETLINK_NETFILTER = 12

export type OpenNetlink = NativeAddon['openNetlink']

/** Bytes of a receive slot. No datagram of a dump is larger. */
const SLOT = 32 * 1024
const SLOTS = 8
const RECEIVE_BUFFER = 4 * 2 ** 20
/** The most attempts of a dump, if changes of the table interrupt every attempt. */
const DUMP_ATTEMPTS = 10
/** The most receive calls in one turn of the event loop. */
const EVENT_ROUNDS = 32
const NO_FILTER: Uint8Array = new Uint8Array(0)
const ENOBUFS = 105
const EINTR = 4

const ignore = (): void => {}

/** A socket with its receive buffer. */
class NetlinkSocket {
  protected readonly socket: NativeSocket
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)

  constructor(socket: NativeSocket) { this.socket = socket }
  close(): void { this.socket.close() }

  /** Receives the next datagrams. @returns their messages, valid until the next call; undefined: none waits. @throws OsError */
  protected receive(): Generator<Message> | undefined {
    const received = this.socket.receive(this.#slab, SLOT, this.#meta)
    return received === 0 ? undefined : this.#messages(received)
  }

  * #messages(count: number): Generator<Message> {
    for (let i = 0; i < count; i++) yield* messages(this.#slab, i * SLOT, i * SLOT + Math.min(SLOT, this.#meta[4 * i]))
  }
}

/** A socket for requests. The kernel has carried out a request when {@link RequestSocket.request} returns. */
export class RequestSocket extends NetlinkSocket {
  readonly #length = new Int32Array(1)
  #sequence = 0
  #port = 0

  /** @param sendBuffer size of the send buffer in bytes, for datagrams larger than the default of about 200 KB. @throws OsError */
  constructor(open: OpenNetlink, protocol: number, sendBuffer = 0) {
    super(open(protocol, new Uint32Array(0), NO_FILTER, RECEIVE_BUFFER, sendBuffer))
  }

  /**
   * Sends one datagram of messages and receives the replies.
   * @param compose writes up to 2^16 messages with the sequence numbers `first`, `first` + 1 ..., and returns their number; undefined
   *   stands for one. The last message requests an acknowledgement or is a dump.
   * @param reply called with each message except acknowledgements; the message is a view, valid during the call
   * @returns the errors of refused messages, by the index of the message
   * @throws OsError when the datagram could not be sent or replies were lost (ENOBUFS): judge it by `verdict`
   */
  request(compose: (w: MessageWriter, first: number) => number | void, reply: (message: Message) => void = ignore): Map<number, OsError> {
    const first = this.#sequence
    const writer = new MessageWriter()
    const count = compose(writer, first) ?? 1
    this.#sequence = (first + count) % 2 ** 31
    const bytes = writer.bytes
    this.#length[0] = bytes.length
    if (this.socket.send(bytes, bytes.length, this.#length, 1) !== 1) throw osError(ENOBUFS, 'send')
    return this.#collect(first, count, reply)
  }

  /**
   * Dumps a table.
   * @param decode returns the row of a message, or undefined if there is none; `count` is the number of rows so far
   * @returns the rows, all of one consistent state
   * @throws OsError if the kernel refuses the dump; EINTR when the table changed during every attempt
   */
  dump<Row>(compose: (w: MessageWriter, sequence: number) => void, decode: (message: Message, count: number) => Row | undefined): Row[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const rows: Row[] = []
      let interrupted = false
      const failed = this.request(compose, (message) => {
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0
        const row = decode(message, rows.length)
        if (row !== undefined) rows.push(row)
      })
      const error = failed.get(0)
      if (error !== undefined && error.code !== 'EINTR') throw error
      if (error === undefined && !interrupted) return rows
    }
    throw osError(EINTR, 'netlink dump', 'the table changed during every attempt')
  }

  /** The netlink port ID of this socket; 0 before the first reply. Notifications of our own changes contain this ID. */
  get port(): number { return this.#port }

  /** Makes this an event socket for the messages that an earlier request subscribed to. No request may follow. */
  listen(listener: EventListener): EventSocket { return new EventSocket(() => this.socket, 0, [], listener) }

  /** Receives until the last of `count` requests is acknowledged, or no reply is left. */
  #collect(first: number, count: number, reply: (message: Message) => void): Map<number, OsError> {
    const failed = new Map<number, OsError>()
    let complete = false
    while (!complete) {
      const received = this.receive()
      // If the kernel refuses a batch as a whole, it acknowledges only the first message.
      if (received === undefined && failed.size > 0) break
      if (received === undefined) throw osError(ENOBUFS, 'recv', 'no reply')
      for (const message of received) {
        const index = message.sequence - first
        // Skips a late reply to an earlier request.
        if (index < 0 || index >= count) continue
        this.#port = message.port
        const completion = decodeCompletion(message)
        // Sometimes only the message that ends a dump has NLM_F_DUMP_INTR, so `reply` gets this message too.
        if (completion === undefined || message.type === NLMSG_DONE) reply(message)
        if (completion === undefined) continue
        if (completion.errno !== 0) failed.set(index, osError(completion.errno, 'netlink', completion.text))
        complete ||= index === count - 1
      }
    }
    return failed
  }
}

export interface EventListener {
  /** Called for each message, a view that is valid during the call. */
  message(message: Message): void
  /** Called after the messages of one turn of the event loop, if none was lost. */
  settled(): void
  /** Called instead of `settled` when messages were lost: dump everything again. */
  overrun(): void
}

/** A socket for the events of multicast groups, or for the events that a request subscribed to. */
export class EventSocket extends NetlinkSocket {
  readonly #listener: EventListener
  #closed = false

  /** Listens at once. @param filter classic BPF that passes the wanted messages, or empty. @throws OsError */
  constructor(open: OpenNetlink, protocol: number, groups: readonly number[], listener: EventListener, filter = NO_FILTER) {
    super(open(protocol, Uint32Array.from(groups), filter, RECEIVE_BUFFER))
    this.#listener = listener
    this.socket.start(() => this.drain())
  }

  override close(): void {
    this.#closed = true
    super.close()
  }

  /** Passes on the messages that wait in the socket. */
  drain(): void {
    let lost = false
    for (let round = 0; round < EVENT_ROUNDS && !this.#closed; round++) {
      let received
      try {
        received = this.receive()
      } catch (error) {
        if (verdict(error) !== 'retry') throw error
        lost = true
        continue
      }
      if (received === undefined) break
      for (const message of received) if (message.type > NLMSG_DONE) this.#listener.message(message)
    }
    if (this.#closed) return
    if (lost) this.#listener.overrun()
    else this.#listener.settled()
  }
}
