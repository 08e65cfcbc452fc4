/** The reply to `ndp6d monitor --top`: rates of links, and the busiest targets and solicitors, once a second. */
import { Address } from '../address.ts'
import type { Part } from '../control/protocol.ts'
import type { Introspection } from '../introspection.ts'
import type { PacketOutcome } from '../engine-types.ts'
import type { Event } from '../events.ts'
import type { Observer } from '../observers.ts'
import { kindOf } from './event-filter.ts'

/** The number of addresses that a table counts at the same time. */
export const SIZE = 64
/** The most addresses of a table in the reply. */
const ROWS = 20
/** Time between two parts of the reply, milliseconds. */
const INTERVAL = 1000

const ADVERTISEMENT = 136

export interface TopLink {
  readonly interface: string
  /** Packets per second: received solicitations, answered ones, invalid packets, sent packets, packets that the kernel dropped. */
  readonly heard: number
  readonly answered: number
  readonly dropped: number
  readonly sent: number
  readonly lost: number
}

export interface TopAddress {
  readonly address: string
  /** Solicitations per second. */
  readonly rate: number
  /** The outcome of the last solicitation. */
  readonly outcome: string
}

export interface Top {
  readonly at: string
  readonly links: readonly TopLink[]
  readonly targets: readonly TopAddress[]
  readonly solicitors: readonly TopAddress[]
}

/**
 * Counts the most frequent addresses in bounded memory (Space-Saving of Metwally, Agrawal and El Abbadi, 2005): a new address takes the
 * place, and the count, of the rarest one. So no frequent address is missed, and a scan cannot make the table larger.
 */
export class TopAddresses {
  readonly #words = new Int32Array(4 * SIZE)
  readonly #counts = new Float64Array(SIZE)
  readonly #outcomes: string[] = Array<string>(SIZE).fill('')

  add(w0: number, w1: number, w2: number, w3: number, outcome: string): void {
    const words = this.#words
    const counts = this.#counts
    let place = 0
    for (let i = 0; i < SIZE; i++) {
      const at = 4 * i
      if (words[at + 3] === w3 && words[at + 2] === w2 && words[at + 1] === w1 && words[at] === w0) {
        place = i
        break
      }
      if (counts[i] < counts[place]) place = i
    }
    words[4 * place] = w0
    words[4 * place + 1] = w1
    words[4 * place + 2] = w2
    words[4 * place + 3] = w3
    counts[place]++
    this.#outcomes[place] = outcome
  }

  /**
   * Ends an interval and halves all counts, so that former intervals weigh less. At a constant rate, a count grows to twice the
   * solicitations of an interval, so half of the count is the rate. @returns the most frequent addresses, by falling count
   */
  take(): TopAddress[] {
    const rows = [...this.#counts.keys()].filter((i) => this.#counts[i] >= 0.5).sort((a, b) => this.#counts[b] - this.#counts[a])
      .slice(0, ROWS).map((i) => {
        const [w0, w1, w2, w3] = this.#words.subarray(4 * i, 4 * i + 4)
        return { address: new Address(w0, w1, w2, w3).toString(), rate: this.#counts[i] / 2, outcome: this.#outcomes[i] }
      })
    for (let i = 0; i < SIZE; i++) this.#counts[i] /= 2
    return rows
  }
}

class TopObserver implements Observer {
  readonly targets = new TopAddresses()
  readonly solicitors = new TopAddresses()
  readonly links = new Map<number, { heard: number; answered: number; dropped: number }>()

  packet(packet: PacketOutcome): void {
    const { outcome, ifindex, type, t0, t1, t2, t3, s0, s1, s2, s3 } = packet
    const link = this.#link(ifindex)
    const kind = kindOf(packet)
    if (kind === 'dropped') link.dropped++
    if (kind === 'dropped' || type === ADVERTISEMENT) return
    link.heard++
    if (kind === 'answered') link.answered++
    this.targets.add(t0, t1, t2, t3, outcome)
    this.solicitors.add(s0, s1, s2, s3, outcome)
  }

  event(event: Event): void { if (event.kind === 'answered') this.#link(event.ifindex).answered++ }

  #link(ifindex: number): { heard: number; answered: number; dropped: number } {
    let link = this.links.get(ifindex)
    if (link === undefined) this.links.set(ifindex, link = { heard: 0, answered: 0, dropped: 0 })
    return link
  }
}

export type TopSource = Pick<Introspection, 'nameOf' | 'usage'> & { readonly observers: Pick<Introspection['observers'], 'add'> }

export async function * topReply(daemon: TopSource, closed: AbortSignal): AsyncGenerator<Part> {
  const observer = new TopObserver()
  const stop = daemon.observers.add(observer)
  let before = usageOf(daemon)
  let since = performance.now()
  try {
    while (!closed.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, INTERVAL)
        closed.addEventListener('abort', () => { clearTimeout(timer); resolve() }, { once: true })
      })
      const [now, usage] = [performance.now(), usageOf(daemon)]
      const seconds = (now - since) / 1000
      const counts = new Map([...observer.links].map(([ifindex, link]) => [daemon.nameOf(ifindex), link]))
      const links = [...usage].map(([iface, { sent, drops }]): TopLink => {
        const { heard = 0, answered = 0, dropped = 0 } = counts.get(iface) ?? {}
        const { sent: sentBefore = sent, drops: dropsBefore = drops } = before.get(iface) ?? {}
        return { interface: iface, heard: heard / seconds, answered: answered / seconds, dropped: dropped / seconds,
          sent: Math.max(0, sent - sentBefore) / seconds, lost: Math.max(0, drops - dropsBefore) / seconds }
      })
      observer.links.clear()
      before = usage
      since = now
      const top: Top = { at: new Date().toISOString(), links, targets: observer.targets.take(), solicitors: observer.solicitors.take() }
      yield { ...top }
    }
  } finally {
    stop()
  }
}

function usageOf({ usage: { links } }: Pick<Introspection, 'usage'>): Map<string, { sent: number; drops: number }> {
  return new Map(links.map(({ iface, sent, drops }) => [iface, { sent, drops }]))
}
