import type { Message } from '../wire/netlink.ts'
import { verdict } from './errors.ts'
import { native } from './native.ts'
import { EventSocket, type EventListener, type OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE, type Rtnetlink } from './rtnetlink.ts'

/** The share of the time that dumps may take if other hosts can fill the table, and change it as often as they like. */
export const SMALL_SHARE = 0.05
/**
 * Time without a dump counts as credit, up to this many milliseconds. Dumps start at once while they take less than their share of the
 * credit, so dumps of small tables need not wait.
 */
const CREDIT = 1000

/** Base class of the watchers: listens to rtnetlink(7) messages about tables. Dumps the tables at first, and again after lost messages. */
export abstract class TableWatcher<Tables, Listener> implements EventListener {
  protected readonly listener: Listener
  protected readonly kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** Earliest time of the next dump that is not requested by {@link resync}, on the clock of performance.now(). */
  #next = 0

  constructor(listener: Listener, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.listener = listener
    this.kernel = kernel
    this.#open = open
  }

  /** Milliseconds from {@link resyncLater} to the dump. A dump for which the kernel was too busy is repeated after the same time. */
  protected abstract readonly pause: number
  /** The largest part of all time that dumps may take, with the work that they cause. */
  protected readonly share: number = 1
  /** @throws OsError */
  protected abstract dump(): Tables
  protected abstract compare(tables: Tables): void

  abstract message(message: Message): void
  settled(): void {}
  overrun(): void { this.resyncInShare() }

  /** Listens to groups of rtnetlink, unless it does so already. @param filter classic BPF. @throws OsError */
  protected listen(groups: readonly number[], filter?: Uint8Array): void {
    this.#events ??= new EventSocket(this.#open, NETLINK_ROUTE, groups, this, filter)
  }

  /**
   * Dumps the tables and reports the differences. Call `listen` before the dump, so that changes during the dump wait in the socket.
   * @throws OsError
   */
  resync(): void { this.#dump() }

  #dump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const began = performance.now()
    try {
      this.#compareDump()
    } finally {
      const ended = performance.now()
      this.#next = Math.max(this.#next, ended - CREDIT) + (ended - began) / this.share
    }
  }

  #compareDump(): void {
    let tables
    try {
      tables = this.dump()
    } catch (error) {
      if (verdict(error) !== 'retry') throw error
      return this.resyncLater()
    }
    this.compare(tables)
  }

  /** Dumps after a pause. */
  protected resyncLater(): void { this.#schedule(this.pause) }

  /** Dumps at once, or as soon as the {@link share} allows it. @throws OsError */
  protected resyncInShare(): void {
    const pause = this.#next - performance.now()
    if (pause <= 0) this.#dump()
    else this.#schedule(pause)
  }

  #schedule(pause: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.resyncInShare()
    }, pause)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#events?.close()
    this.#events = undefined
  }
}
