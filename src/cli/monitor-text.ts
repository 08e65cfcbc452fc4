/** The text of `ndp6d monitor`: one line for each event, and a summary at the end, as ping(8) has it. */
import type { MonitorEvent } from '../replies/monitor.ts'

/** Time in which equal events are combined into one line on a terminal, milliseconds. */
const FOLDING = 1000
/** Widths of columns. */
const IFACE = 8, EVENT = 14, TARGET = 26

export class MonitorText {
  readonly #isFolding: boolean
  readonly #write: (text: string) => void
  readonly #counts = new Map<string, number>()
  readonly #began = Date.now()
  #last: { readonly event: MonitorEvent; readonly text: string; readonly at: number; repeats: number } | undefined

  constructor(isFolding: boolean, write: (text: string) => void) {
    this.#isFolding = isFolding
    this.#write = write
  }

  show(events: readonly MonitorEvent[]): void {
    const lines = events.map((event) => this.#line(event)).join('')
    if (lines !== '') this.#write(lines)
  }

  /** Writes the summary. */
  end(): void {
    const counts = [...this.#counts].map(([event, count]) => `${count} ${event}`).join(', ')
    this.#write(`${this.#repeats()}${((Date.now() - this.#began) / 1000).toFixed(0)} s: ${counts === '' ? 'no event' : counts}\n`)
  }

  #line(event: MonitorEvent): string {
    this.#counts.set(event.event, (this.#counts.get(event.event) ?? 0) + (event.event === 'lost' ? event.count! : 1))
    const text = describe(event)
    const at = Date.parse(event.at)
    if (this.#isFolding && this.#last?.text === text && at - this.#last.at < FOLDING) {
      this.#last.repeats++
      return ''
    }
    const repeats = this.#repeats()
    this.#last = { event, text, at, repeats: 0 }
    return `${repeats}${clock(event.at)}  ${text}\n`
  }

  /** @returns the line for the repetitions of the last event */
  #repeats(): string {
    if (this.#last === undefined || this.#last.repeats === 0) return ''
    const { event, text, repeats } = this.#last
    this.#last = undefined
    return `${clock(event.at)}  ${text} (${repeats} more within 1 s)\n`
  }
}

function describe(event: MonitorEvent): string {
  const { event: kind, interface: iface, target } = event
  const line = `${(iface ?? '').padEnd(IFACE)}  ${kind.padEnd(EVENT)}  ${(target ?? '').padEnd(TARGET)}  ${detail(event)}`
  // Interface names may contain control characters.
  return line.trimEnd().replace(/\p{Cc}/gu, '?')
}

function detail({ event, source, lladdr, reason, state, count }: MonitorEvent): string {
  switch (event) {
    case 'answered': return `to ${source}${reason === 'waited' ? ', after it waited' : reason === 'defended' ? ', DAD' : ''}`
    case 'probing': return `for ${source}`
    case 'unanswered': case 'dropped': return `${reason}${source === null ? '' : `, from ${source}`}`
    case 'advertisement': return `${reason}${lladdr === null ? '' : `, from ${lladdr}`}`
    case 'lost': return `${count} events are missing: this terminal or pipe is slower than the traffic`
    default: return [state, reason, lladdr, source, count === null ? undefined : `${count} times`].filter((part) => part != null).join(', ')
  }
}

function clock(at: string): string { return new Date(at).toTimeString().slice(0, 8) + at.slice(19, 23) }
