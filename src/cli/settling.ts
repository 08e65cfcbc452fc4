/** When the memory is given back that a start, a reload, a flood or any other work needed: once that is over. */
import { settle } from '../linux/settle.ts'

/** After a start or a reload: when most of what follows from it is done. Milliseconds. */
const AFTER = 1000
/** After that: looked for this often, milliseconds. */
const INTERVAL = 5000
/** After a flood: bytes that it took, and the share of the time that is work still. */
const GROWN = 8 * 2 ** 20
const CALM = 0.1
/** After any other work, milliseconds, once there is next to none. */
const WORK = 100
const REST = 0.01
/** Twice, since V8 lets its room for garbage go only when it saw little of it for 5 s. */
const TIMES = 2

export class Settling {
  #timer: NodeJS.Timeout | undefined
  readonly #ticker = setInterval(() => this.#look(), INTERVAL)
  #cpu = process.cpuUsage()
  /** Milliseconds since the last time. */
  #work = 0
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
    const work = (user + system) / 1000
    this.#work += work
    if (process.memoryUsage.rss() > this.#settled + GROWN) this.#times = TIMES
    if (this.#times > 0) {
      if (work >= CALM * INTERVAL) return
      this.#times--
      this.#settle()
    } else if (this.#work > WORK && work < REST * INTERVAL) this.#settle()
  }

  #settle(): void {
    settle()
    this.#cpu = process.cpuUsage()
    this.#work = 0
    this.#settled = process.memoryUsage.rss()
  }
}
