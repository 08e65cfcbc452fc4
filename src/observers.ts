/** Passes each packet and event to the history, and to the commands that are watching. */
import type { Instant, PacketOutcome } from './engine-types.ts'
import type { Event } from './events.ts'
import { History } from './history.ts'

export interface Observer {
  /** Called for each received packet. The object is valid only during the call. */
  packet(packet: PacketOutcome, now: Instant): void
  event(event: Event, now: Instant): void
}

export class Observers {
  readonly history = new History()
  #observers: readonly Observer[] = []

  /** @returns a function that removes the observer */
  add(observer: Observer): () => void {
    this.#observers = [...this.#observers, observer]
    return () => { this.#observers = this.#observers.filter((other) => other !== observer) }
  }

  packet(packet: PacketOutcome, now: Instant): void {
    this.history.packet(packet, now)
    if (this.#observers.length > 0) for (const observer of this.#observers) observer.packet(packet, now)
  }

  event(event: Event, now: Instant): void {
    if (event.kind === 'answered') this.history.answered(event, now)
    for (const observer of this.#observers) observer.event(event, now)
  }
}
