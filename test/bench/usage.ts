/** Latencies, CPU time and memory of programs, from proc_pid_status(5), proc_stat(5) and the scheduler's statistics. */
import { readFileSync, readdirSync } from 'node:fs'

/** Jiffies per second; the same on every Linux that Node runs on. */
const USER_HZ = 100

/**
 * @returns CPU seconds that a program has used; 0 when it has ended. They come from the scheduler's statistics: accounting by jiffies
 *   misses a program that wakes a thousand times a second for some microseconds.
 */
export function cpuSeconds(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) =>
      sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1e9, 0)
  } catch {
    return 0
  }
}

/** @returns CPU seconds of all programs on this machine, without iowait and guests */
export function machineSeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1').split(/ +/).slice(1, 9).map(Number)
  return (user + nice + system + irq + softirq + steal) / USER_HZ
}

/** @returns bytes of private memory, so without pages of files; NaN when the program has ended */
export function privateBytes(pid: number): number {
  try {
    return 1024 * Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? NaN)
  } catch {
    return NaN
  }
}

/** Counts CPU time from its creation on: of a responder, and of programs other than the responder and this one. */
export class Meter {
  readonly #pid: number | undefined
  readonly #began = performance.now()
  readonly #all = machineSeconds()
  readonly #own = process.cpuUsage()
  readonly #responder: number

  constructor(pid: number | undefined) {
    this.#pid = pid
    this.#responder = pid === undefined ? 0 : cpuSeconds(pid)
  }

  /** @returns CPU seconds of the responder, and the number of CPUs that other programs kept busy */
  read(): { readonly cpu: number; readonly others: number } {
    const seconds = (performance.now() - this.#began) / 1000
    const own = process.cpuUsage(this.#own)
    const cpu = this.#pid === undefined ? 0 : cpuSeconds(this.#pid) - this.#responder
    const others = (machineSeconds() - this.#all - (own.user + own.system) / 1e6 - cpu) / seconds
    return { cpu, others: Math.max(0, others) }
  }
}

/** Microseconds, to a tenth; NaN without any latency. */
export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly worst: number
}

/** @param latencies milliseconds; they get sorted */
export function percentiles(latencies: Float64Array): Percentiles {
  latencies.sort()
  const at = (share: number) =>
    Math.round(10_000 * (latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN)) / 10
  return { p50: at(0.5), p99: at(0.99), worst: at(1) }
}

/** Reads a program's private memory ten times a second. @returns a function that ends this and returns the highest value, in bytes */
export function highestMemory(pid: number): () => number {
  let highest = 0
  const timer = setInterval(() => { highest = Math.max(highest, privateBytes(pid)) }, 100)
  return () => {
    clearInterval(timer)
    return Math.max(highest, privateBytes(pid))
  }
}
