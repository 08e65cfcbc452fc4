/** What programs use: CPU time and memory, from proc_pid_status(5), proc_stat(5) and the scheduler's own statistics. */
import { readFileSync, readdirSync } from 'node:fs'

/** Jiffies per second; the same on every Linux that Node runs on. */
const USER_HZ = 100

/**
 * CPU seconds that a program used so far, to the nanosecond where the kernel counts so (its accounting by jiffies does not
 * see what wakes a thousand times a second for some microseconds); 0 when it has ended.
 */
export function cpuSeconds(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.reduce((sum, thread) => sum + threadSeconds(`/proc/${pid}/task/${thread}`), 0)
  } catch {
    return 0
  }
}

function threadSeconds(directory: string): number {
  try {
    return Number(readFileSync(`${directory}/schedstat`, 'latin1').split(' ')[0]) / 1e9
  } catch {
    // The name of a program may hold anything: utime and stime are counted from the end of it.
    const stat = readFileSync(`${directory}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')
    return (Number(stat[11]) + Number(stat[12])) / USER_HZ
  }
}

/** CPU seconds of everything on this machine; iowait and guests left out. */
export function machineSeconds(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1').split(/ +/).slice(1, 9)
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / USER_HZ
}

/** Resident bytes; NaN when the program has ended. */
export function residentBytes(pid: number): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? NaN)
  } catch {
    return NaN
  }
}

/** CPU seconds used since `start()`: by a responder, and by programs other than it and this one. */
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

  /** `others`: CPUs that were kept busy by neither. */
  read(): { readonly cpu: number; readonly others: number } {
    const seconds = (performance.now() - this.#began) / 1000
    const own = process.cpuUsage(this.#own)
    const cpu = this.#pid === undefined ? 0 : cpuSeconds(this.#pid) - this.#responder
    const others = (machineSeconds() - this.#all - (own.user + own.system) / 1e6 - cpu) / seconds
    return { cpu, others: Math.max(0, others) }
  }
}

/** Looks at a program's memory ten times a second. @returns ends that, and gives the highest, in bytes */
export function highestMemory(pid: number): () => number {
  let highest = 0
  const timer = setInterval(() => { highest = Math.max(highest, residentBytes(pid)) }, 100)
  return () => {
    clearInterval(timer)
    return Math.max(highest, residentBytes(pid))
  }
}
