/** For parts of the engine that only speak in time: writes down the messages, each with the time of its sending. */
import type { Address } from '../../../src/address.ts'
import type { Event, Instant, Sink } from '../../../src/engine/types.ts'
import type { MulticastMessage } from '../../../src/wire/mld.ts'

/** A part of the engine that waits for deadlines. */
export interface Sleeper {
  readonly deadline: Instant | undefined
  wake(now: Instant): void
}

export class TimedSink implements Sink {
  now = 0
  #lines: string[] = []

  /** Winds the clock to `until`, and wakes the sleeper at each of its deadlines on the way. */
  run(sleeper: Sleeper, until: number): void {
    for (let turns = 0; sleeper.deadline !== undefined && sleeper.deadline <= until; turns++) {
      if (turns > 100_000) throw new Error('it does not sleep')
      this.now = Math.max(this.now, sleeper.deadline)
      sleeper.wake(this.now as Instant)
    }
    this.now = until
  }

  multicast(ifindex: number, message: MulticastMessage): void {
    const interval = message.kind === 'router-advertisement' ? ` ${message.interval}` : ''
    this.tell(`${message.kind} ${ifindex} ${message.source}${interval}`)
  }

  event(event: Event): void {
    this.tell(event.kind === 'limit' ? `limit ${event.limit} ${event.size}` : event.kind)
  }

  /** For `Groups`, which a sink is not, though its calls belong in the same order. */
  readonly groups = {
    add: (ifindex: number, group: Address) => this.tell(`add ${ifindex} ${short(group)}`),
    remove: (ifindex: number, group: Address) => this.tell(`remove ${ifindex} ${short(group)}`),
    query: () => {},
  }

  tell(line: string): void { this.#lines.push(`${Math.round(this.now)} ${line}`) }

  /** The lines since the last call. */
  take(): string[] { return this.#lines.splice(0) }

  listen(): void { this.#never() }
  ignore(): void { this.#never() }
  solicit(): void { this.#never() }
  confirm(): void { this.#never() }
  advertise(): void { this.#never() }
  discover(): void { this.#never() }
  lookup(): void { this.#never() }
  route(): void { this.#never() }
  quiet(): void { this.#never() }
  outcome(): void { this.#never() }

  #never(): never { throw new Error('this is none of its business') }
}

function short(group: Address): string { return `${group}`.replace('ff02::1:ff00:', '') }
