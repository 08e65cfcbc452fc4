import type { Message } from '../wire/netlink.ts'
import { verdict } from './errors.ts'
import { native } from './native.ts'
import { EventSocket, type EventListener, type OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE, type Rtnetlink } from './rtnetlink.ts'

/** Base of the watchers: listens to rtnetlink(7) messages about tables, which it dumps at first and after lost messages. */
export abstract class TableWatcher<Tables, Listener> implements EventListener {
  protected readonly listener: Listener
  protected readonly kernel: Rtnetlink
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(listener: Listener, kernel: Rtnetlink, open: OpenNetlink = native.openNetlink) {
    this.listener = listener
    this.kernel = kernel
    this.#open = open
  }

  /** Milliseconds until the next attempt of a dump, if the kernel was too busy for it. */
  protected abstract readonly pause: number
  /** @throws OsError */
  protected abstract dump(): Tables
  protected abstract compare(tables: Tables): void

  abstract message(message: Message): void
  settled(): void {}
  overrun(): void { this.resync() }

  /** Listens to groups of rtnetlink, unless it does so already. @param filter classic BPF @throws OsError */
  protected listen(groups: readonly number[], filter?: Uint8Array): void {
    this.#events ??= new EventSocket(this.#open, NETLINK_ROUTE, groups, this, filter)
  }

  /** Dumps the tables and reports the differences. Listen first: changes during the dump wait in the socket. @throws OsError */
  resync(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    let tables
    try {
      tables = this.dump()
    } catch (error) {
      if (verdict(error) !== 'retry') throw error
      return this.resyncLater()
    }
    this.compare(tables)
  }

  protected resyncLater(): void { this.#timer ??= setTimeout(() => this.resync(), this.pause) }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#events?.close()
    this.#events = undefined
  }
}
