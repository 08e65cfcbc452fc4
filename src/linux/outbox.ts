/** The links that have something to send when a turn ends. */

export interface Sender {
  /** It is in an outbox; only {@link Outbox} writes it. */
  isWaiting: boolean
  /** Sends what is queued. */
  flush(): void
}

/** A set that allocates nothing: one that is emptied in each turn would be made anew each time, and grow old as garbage. */
export class Outbox {
  readonly #senders: Sender[] = []
  #count = 0

  /** It is flushed once, however often it is added. */
  add(sender: Sender): void {
    if (sender.isWaiting) return
    sender.isWaiting = true
    this.#senders[this.#count++] = sender
  }

  /** Flushes all, in their order; what they add meanwhile as well. */
  flush(): void {
    for (let i = 0; i < this.#count; i++) {
      const sender = this.#senders[i]
      sender.isWaiting = false
      sender.flush()
    }
    this.#count = 0
  }
}
