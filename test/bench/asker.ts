/**
 * The load: a program that asks for addresses on one link and times the answers. `bench.ts` starts it for each
 * measurement, `node asker.js LOAD` with a `Load` as JSON, in the asker's namespace; it prints one `Measurement`.
 *
 * It must be much cheaper than a responder: the solicitations (RFC 4861 4.3) are made beforehand, sent and received in
 * batches through the daemon's own packet socket, and it polls without rest until its time is up, so neither the event
 * loop nor a wakeup of its own is measured. Latency runs from just before the send call to the return of the receive.
 */
import { readFileSync } from 'node:fs'
import { readWord } from '../../src/address.ts'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { read16 } from '../../src/wire/bytes.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { nsFrame } from '../lab/kit/frames.ts'
import { target } from './cases.ts'

export interface Load {
  readonly ifindex: number
  /** The asker's own addresses on that link. */
  readonly mac: string
  readonly source: string
  readonly targets: number
  readonly outstanding: number
  /** Seconds of load before the measurement, and of the measurement. */
  readonly warmup: number
  readonly seconds: number
  /** The responder's process; the kernel has none. */
  readonly pid?: number
}

export interface Measurement {
  readonly answers: number
  readonly seconds: number
  /** Microseconds from question to answer. */
  readonly p50: number
  readonly p99: number
  /** Questions without an answer within 200 ms, asked again then. */
  readonly lost: number
  /** Answers to questions that were not open. */
  readonly unexpected: number
  /** Share of the time in which the asker found nothing to do: near 0 the asker itself is the limit. */
  readonly idle: number
  /** CPUs that programs other than these two kept busy: above about 0.2 the figures are not to be trusted. */
  readonly others: number
  /** Of the responder: CPU seconds during the measurement, resident bytes after it. */
  readonly cpu?: number
  readonly rss?: number
}

/** Milliseconds until a question counts as lost, and between two looks for such. */
const PATIENCE = 200
const LOOK = 20
const SLOT = 128
const BATCH = 64
const SAMPLES = 1 << 21
const PACKET_HOST = 0
/** Offsets in a frame with an Ethernet header. */
const TYPE = 54
const TARGET = 62
const MESSAGE_END = 78

class Asker {
  readonly #socket: NativeSocket
  readonly #outstanding: number
  readonly #frames: readonly Buffer[]
  /** BATCH slots to send from, behind them the solicitation for every target. */
  readonly #slab: Uint8Array
  readonly #lengths: Int32Array
  readonly #answers = new Uint8Array(BATCH * SLOT)
  readonly #meta = new Int32Array(BATCH * 4)
  /** By target: when it was asked for (milliseconds), or 0 while no question is open. */
  readonly #askedAt: Float64Array
  /** The targets without an open question, in the order they will be asked: a ring. */
  readonly #waiting: Int32Array
  #next = 0
  #open = 0

  readonly #latencies = new Float64Array(SAMPLES)
  #answered = 0
  #lost = 0
  #unexpected = 0

  constructor(load: Load) {
    this.#socket = native.openPacket({ ifindex: load.ifindex, protocol: ETHERTYPE_IPV6, promiscuous: false,
      filter: ndiscFilter(14, [NEIGHBOR_ADVERTISEMENT]), receiveBuffer: 4 << 20, ring: 4096, cooked: false })
    this.#outstanding = load.outstanding
    this.#frames = Array.from({ length: load.targets }, (_, n) =>
      Buffer.from(nsFrame({ from: load.mac, source: load.source, target: target(n) }), 'hex'))
    this.#slab = new Uint8Array((BATCH + load.targets) * SLOT)
    this.#frames.forEach((frame, n) => this.#slab.set(frame, (BATCH + n) * SLOT))
    this.#lengths = new Int32Array(BATCH).fill(this.#frames[0].length)
    this.#askedAt = new Float64Array(load.targets)
    this.#waiting = Int32Array.from(this.#frames, (_, n) => n)
  }

  /** Asks for `seconds`, then waits for the answers still due; those are not counted. */
  run(seconds: number): Omit<Measurement, 'cpu' | 'rss' | 'others'> {
    this.#answered = this.#lost = this.#unexpected = 0
    const start = performance.now()
    const end = start + seconds * 1000
    let now = start
    let look = start + LOOK
    let idle = 0
    while (now < end) {
      this.#ask()
      const before = now
      const found = this.#listen()
      now = performance.now()
      this.#accept(found, now)
      if (found > 0) continue
      idle += now - before
      if (now < look) continue
      this.#giveUp(now - PATIENCE)
      look = now + LOOK
    }
    const taken = this.#latencies.slice(0, Math.min(this.#answered, SAMPLES)).sort()
    const percentile = (share: number) => Math.round(10_000 * (taken[Math.floor(taken.length * share)] ?? NaN)) / 10
    const result = { answers: this.#answered, seconds: (now - start) / 1000, p50: percentile(0.5),
      p99: percentile(0.99), lost: this.#lost, unexpected: this.#unexpected, idle: idle / (now - start) }
    while (this.#open > 0 && performance.now() < now + PATIENCE) this.#accept(this.#listen(), performance.now())
    this.#giveUp(Infinity)
    return result
  }

  close(): void {
    this.#socket.close()
  }

  #listen(): number {
    return this.#socket.receive(this.#answers, SLOT, this.#meta)
  }

  /** Sends as many questions as are missing, at most a batch. */
  #ask(): void {
    const count = Math.min(this.#outstanding - this.#open, BATCH)
    if (count === 0) return
    const { length } = this.#waiting
    for (let i = 0, at = this.#next; i < count; i++, at = at + 1 === length ? 0 : at + 1) {
      const frame = (BATCH + this.#waiting[at]) * SLOT
      this.#slab.copyWithin(i * SLOT, frame, frame + this.#lengths[0])
    }
    const now = performance.now()
    for (let sent = this.#send(count); sent > 0; sent--) {
      this.#askedAt[this.#waiting[this.#next]] = now
      this.#next = this.#next + 1 === length ? 0 : this.#next + 1
      this.#open++
    }
  }

  #send(count: number): number {
    try {
      return this.#socket.send(this.#slab, SLOT, this.#lengths, count)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOBUFS') return 0      // the link's queue is full
      throw error
    }
  }

  #accept(count: number, now: number): void {
    for (let i = 0; i < count; i++) {
      const n = this.#targetOf(i)
      const askedAt = n < 0 ? 0 : this.#askedAt[n]
      if (askedAt === 0) {
        this.#unexpected++
        continue
      }
      if (this.#answered < SAMPLES) this.#latencies[this.#answered] = now - askedAt
      this.#answered++
      this.#close(n)
    }
  }

  /** The number of the target that answer `i` is about; -1 when it is about none of ours, or not for us. */
  #targetOf(i: number): number {
    const at = i * SLOT
    const bytes = this.#answers
    if (this.#meta[4 * i] < MESSAGE_END || this.#meta[4 * i + 1] !== PACKET_HOST) return -1
    if (bytes[at + TYPE] !== NEIGHBOR_ADVERTISEMENT) return -1
    for (let word = TARGET; word < TARGET + 12; word += 4) {
      if (readWord(bytes, at + word) !== readWord(this.#slab, BATCH * SLOT + word)) return -1
    }
    const n = read16(bytes, at + TARGET + 14)
    return n < this.#askedAt.length ? n : -1
  }

  #close(n: number): void {
    this.#askedAt[n] = 0
    const { length } = this.#waiting
    this.#waiting[(this.#next + length - this.#open) % length] = n
    this.#open--
  }

  /** Closes the questions asked before `time`; the targets will be asked for again in their turn. */
  #giveUp(time: number): void {
    this.#askedAt.forEach((askedAt, n) => {
      if (askedAt === 0 || askedAt > time) return
      this.#lost++
      this.#close(n)
    })
  }
}

/** Jiffies of proc_stat(5) and proc_pid_stat(5) per second; the same on every Linux that Node runs on. */
const USER_HZ = 100

interface Usage {
  /** CPU seconds used so far: by everything (iowait and guests left out), by this program, by the responder. */
  readonly all: number
  readonly own: number
  readonly responder: number
}

function usage(pid: number | undefined): Usage {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1').split(/ +/).slice(1, 9)
    .map(Number)
  const own = process.cpuUsage()
  // The name of a program may hold anything: utime and stime are counted from the end of it.
  const stat = pid === undefined ? [] : readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')
  return { all: (user + nice + system + irq + softirq + steal) / USER_HZ, own: (own.user + own.system) / 1e6,
    responder: (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) / USER_HZ }
}

function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? NaN)
}

function measure(load: Load): Measurement {
  const asker = new Asker(load)
  try {
    asker.run(load.warmup)
    const before = usage(load.pid)
    const result = asker.run(load.seconds)
    const after = usage(load.pid)
    const cpu = after.responder - before.responder
    const others = Math.max(0, after.all - before.all - (after.own - before.own) - cpu) / result.seconds
    return { ...result, others, ...load.pid !== undefined && { cpu, rss: residentBytes(load.pid) } }
  } finally {
    asker.close()
  }
}

process.stdout.write(`${JSON.stringify(measure(JSON.parse(process.argv[2]) as Load))}\n`)
