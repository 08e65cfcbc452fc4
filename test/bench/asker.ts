/**
 * The closed load: asks for addresses on one link, so many at a time, and times the answers. `node asker.js LOAD` with a
 * `Load` as JSON, in the asker's namespace; it prints one `Measurement`.
 *
 * It must be much cheaper than a responder: the solicitations are made beforehand, sent and received in batches
 * through the daemon's own packet socket, and it polls without rest until its time is up, so neither the event loop nor a
 * wakeup of its own is measured. Latency runs from just before the send call to the return of the receive.
 */
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import type { Asked } from './manners.ts'
import { Questions, SLOT } from './questions.ts'
import { Meter } from './usage.ts'

export interface Load {
  readonly ifindex: number
  /** The asker's own addresses on that link. */
  readonly mac: string
  readonly source: string
  readonly asked: Asked
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
  /** CPU seconds of the responder. */
  readonly cpu: number
}

/** Milliseconds until a question counts as lost, and between two looks for such. */
const PATIENCE = 200
const LOOK = 20
const BATCH = 64
const SAMPLES = 1 << 21

class Asker {
  readonly #socket: NativeSocket
  readonly #load: Load
  readonly #questions: Questions
  /** BATCH slots to send from, behind them the solicitation for every target. */
  readonly #slab: Uint8Array
  readonly #lengths: Int32Array
  readonly #answers = new Uint8Array(BATCH * SLOT)
  readonly #meta = new Int32Array(BATCH * 4)
  /** By question: when it was asked (milliseconds), or 0 while it is not open. Question `q` is for target `q % targets`. */
  readonly #askedAt: Float64Array
  /** The questions that are not open, in the order they will be asked: a ring. */
  readonly #waiting: Int32Array
  #next = 0
  #open = 0

  readonly #latencies = new Float64Array(SAMPLES)
  #answered = 0
  #lost = 0
  #unexpected = 0

  constructor(load: Load) {
    const { ifindex, mac, source, asked: { targets, first, stride }, outstanding } = load
    this.#load = load
    this.#socket = native.openPacket({ ifindex, protocol: ETHERTYPE_IPV6, promiscuous: false,
      filter: ndiscFilter(14, [NEIGHBOR_ADVERTISEMENT]), receiveBuffer: 4 << 20, ring: 4096, cooked: false })
    this.#questions = new Questions(mac, source)
    this.#slab = new Uint8Array((BATCH + targets) * SLOT)
    for (let i = 0; i < targets; i++) this.#questions.write(this.#slab, (BATCH + i) * SLOT, first + i * stride)
    this.#lengths = new Int32Array(BATCH).fill(this.#questions.length)
    this.#askedAt = new Float64Array(Math.max(targets, outstanding))
    this.#waiting = Int32Array.from(this.#askedAt, (_, n) => n)
  }

  /** Asks for `seconds`, then waits for the answers still due; those are not counted. */
  run(seconds: number): Omit<Measurement, 'cpu' | 'others'> {
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
    const { outstanding, asked: { targets } } = this.#load
    const count = Math.min(outstanding - this.#open, BATCH)
    if (count === 0) return
    const { length } = this.#waiting
    for (let i = 0, at = this.#next; i < count; i++, at = at + 1 === length ? 0 : at + 1) {
      const frame = (BATCH + this.#waiting[at] % targets) * SLOT
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
      if (!this.#questions.isForUs(this.#meta, i)) continue
      const q = this.#questionOf(i)
      if (q < 0) {
        this.#unexpected++
        continue
      }
      if (this.#answered < SAMPLES) this.#latencies[this.#answered] = now - this.#askedAt[q]
      this.#answered++
      this.#close(q)
    }
  }

  /** The oldest open question that answer `i` is for; -1 when there is none. */
  #questionOf(i: number): number {
    const { targets, first, stride } = this.#load.asked
    const place = (this.#questions.answered(this.#answers, this.#meta, i) - first) / stride
    if (!Number.isInteger(place) || place < 0 || place >= targets) return -1
    let oldest = -1
    for (let q = place; q < this.#askedAt.length; q += targets) {
      const askedAt = this.#askedAt[q]
      if (askedAt > 0 && (oldest < 0 || askedAt < this.#askedAt[oldest])) oldest = q
    }
    return oldest
  }

  #close(q: number): void {
    this.#askedAt[q] = 0
    const { length } = this.#waiting
    this.#waiting[(this.#next + length - this.#open) % length] = q
    this.#open--
  }

  /** Closes the questions asked before `time`; they will be asked again in their turn. */
  #giveUp(time: number): void {
    this.#askedAt.forEach((askedAt, q) => {
      if (askedAt === 0 || askedAt > time) return
      this.#lost++
      this.#close(q)
    })
  }
}

function measure(load: Load): Measurement {
  const asker = new Asker(load)
  try {
    asker.run(load.warmup)
    const meter = new Meter(load.pid)
    return { ...asker.run(load.seconds), ...meter.read() }
  } finally {
    asker.close()
  }
}

process.stdout.write(`${JSON.stringify(measure(JSON.parse(process.argv[2]) as Load))}\n`)
