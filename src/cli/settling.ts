/** When the memory is given back that a start, a reload or a flood needed: once that is over. */
import { mayGrow, settle } from '../linux/settle.ts'

/** After a start or a reload: when most of what follows from it is done. Milliseconds. */
const AFTER = 1000
/** After that, and after a flood: looked for this often, milliseconds; bytes that it took; share of the time that is work still. */
const INTERVAL = 5000
const GROWN = 8 * 2 ** 20
const CALM = 0.1
/** Twice, since V8 lets its room for garbage go only when it saw little of it for 5 s. */
const TIMES = 2

export class Settling {
  #timer: NodeJS.Timeout | undefined
  readonly #ticker = setInterval(() => this.#look(), INTERVAL)
  #cpu = process.cpuUsage()
  /** How often there is something to be given back yet, once it is calm. */
  #times = 0
  /** Resident bytes after the last time. */
  #settled = Number.POSITIVE_INFINITY

  /** After a start or a reload. */
  soon(): void {
    clearTimeout(this.#timer)
    this.#times = TIMES
    this.#timer = setTimeout(() => this.#settle(), AFTER)
  }

  close(): void {
    clearTimeout(this.#timer)
    clearInterval(this.#ticker)
  }

  #look(): void {
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#cpu = process.cpuUsage()
    const isCalm = (user + system) / 1000 < CALM * INTERVAL
    if (process.memoryUsage.rss() > this.#settled + GROWN) this.#times = TIMES
    if (!isCalm || this.#times === 0) return
    this.#times--
    this.#settle()
    // The start is over: a load may have room.
    if (this.#times === 0) mayGrow(true)
  }

  #settle(): void {
    settle()
    this.#settled = process.memoryUsage.rss()
  }
}
