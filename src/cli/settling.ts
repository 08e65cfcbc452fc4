/** When the memory is given back that a start, a reload or a flood needed: once that is over. */
import { settle } from '../linux/settle.ts'

/**
 * After a start or a reload: when most of what follows from it is done, and when V8 sees that it makes little garbage for
 * 5 s, since only then it lets the room for that go. Milliseconds.
 */
const AFTER = [1000, 7000]
/** After a flood: looked for this often, milliseconds; bytes that it took; share of the time that is work still. */
const INTERVAL = 5000
const GROWN = 8 * 2 ** 20
const CALM = 0.1

export class Settling {
  #timers: NodeJS.Timeout[] = []
  readonly #ticker = setInterval(() => this.#look(), INTERVAL)
  #cpu = process.cpuUsage()
  /** Resident bytes after the last time. */
  #settled = Number.POSITIVE_INFINITY

  /** After a start or a reload. */
  soon(): void {
    this.#timers.forEach(clearTimeout)
    this.#timers = AFTER.map((after) => setTimeout(() => this.#settle(), after))
  }

  close(): void {
    this.#timers.forEach(clearTimeout)
    clearInterval(this.#ticker)
  }

  #look(): void {
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#cpu = process.cpuUsage()
    const isCalm = (user + system) / 1000 < CALM * INTERVAL
    if (isCalm && process.memoryUsage.rss() > this.#settled + GROWN) this.#settle()
  }

  #settle(): void {
    settle()
    this.#settled = process.memoryUsage.rss()
  }
}
