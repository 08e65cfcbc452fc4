/**
 * The open load: asks at a steady rate, whether or not answers come, and perhaps scans the prefix beside it. `node pacer.js
 * PACE` with a `Pace` as JSON, in the asker's namespace; it prints one `PaceMeasurement`.
 *
 * One program does both and polls without rest, on a CPU of its own: where the kernel puts the two on one, as it likes to with
 * who wakes the other, an answer waits for the asker. What is scanned is sent in small batches, which bounds what that adds
 * to a latency: about 20 us.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { Questions, SLOT } from './questions.ts'
import type { Load } from './asker.ts'
import { Meter } from './usage.ts'

export interface Pace extends Omit<Load, 'outstanding' | 'warmup'> {
  /** Questions a second for the targets, in turn. An answer counts while its target is not asked for again. */
  readonly rate: number
  /** Questions a second for random addresses of the /64. */
  readonly scan: number
}

export interface PaceMeasurement {
  readonly asked: number
  readonly answered: number
  /** Microseconds from question to answer. */
  readonly p50: number
  readonly p99: number
  readonly worst: number
  /** Random addresses asked for, in a second. */
  readonly scanned: number
  /** Answers to questions that were not open. */
  readonly unexpected: number
  readonly others: number
  /** CPU seconds of the responder. */
  readonly cpu: number
  readonly seconds: number
}

const BATCH = 8
/** Milliseconds: who is further behind does not catch up, and how long answers are waited for at the end. */
const BEHIND = 5
const PATIENCE = 200

class Pacer {
  readonly #pace: Pace
  readonly #socket: NativeSocket
  readonly #questions: Questions
  /** By target: its question. */
  readonly #slab: Uint8Array
  readonly #scan = new Uint8Array(BATCH * SLOT)
  readonly #lengths: Int32Array
  readonly #answers = new Uint8Array(64 * SLOT)
  readonly #meta = new Int32Array(64 * 4)
  readonly #askedAt: Float64Array
  readonly #latencies: number[] = []
  #random = 0x2545f491
  #unexpected = 0

  constructor(pace: Pace) {
    const { ifindex, mac, source, asked: { targets, first, stride } } = pace
    this.#pace = pace
    this.#socket = native.openPacket({ ifindex, protocol: ETHERTYPE_IPV6, promiscuous: false,
      filter: ndiscFilter(14, [NEIGHBOR_ADVERTISEMENT]), receiveBuffer: 4 << 20, cooked: false })
    this.#questions = new Questions(mac, source)
    this.#slab = new Uint8Array(targets * SLOT)
    for (let i = 0; i < targets; i++) this.#questions.write(this.#slab, i * SLOT, first + i * stride)
    for (let i = 0; i < BATCH; i++) this.#questions.write(this.#scan, i * SLOT, 0)
    this.#lengths = new Int32Array(BATCH).fill(this.#questions.length)
    this.#askedAt = new Float64Array(targets)
  }

  run(): Omit<PaceMeasurement, 'cpu' | 'others'> {
    const { rate, scan, seconds, asked: { targets } } = this.#pace
    const start = performance.now()
    const end = start + seconds * 1000
    let asked = 0, scanned = 0, skipped = 0
    let now = start
    for (; now < end; now = performance.now()) {
      if (asked < (now - start) * rate / 1000) this.#ask(asked++ % targets, now)
      const due = Math.floor((now - start) * scan / 1000) - scanned - skipped
      if (due > BEHIND * scan / 1000) skipped += due
      else if (due > 0) scanned += this.#scanSome(Math.min(due, BATCH))
      this.#accept()
    }
    while (performance.now() < now + PATIENCE) this.#accept()
    this.#socket.close()
    const sorted = Float64Array.from(this.#latencies).sort()
    const percentile = (share: number) => {
      const place = Math.min(sorted.length - 1, Math.floor(sorted.length * share))
      return Math.round(10_000 * (sorted[place] ?? NaN)) / 10
    }
    return { asked, answered: sorted.length, p50: percentile(0.5), p99: percentile(0.99), worst: percentile(1),
      scanned: scanned / seconds, unexpected: this.#unexpected, seconds }
  }

  #ask(i: number, now: number): void {
    this.#askedAt[i] = now
    this.#send(this.#slab.subarray(i * SLOT, i * SLOT + SLOT), 1)
  }

  #scanSome(count: number): number {
    // Never the words of a known target: the third has its highest bit set.
    for (let i = 0; i < count; i++) this.#questions.change(this.#scan, i * SLOT, this.#next() | 0x80000000, this.#next())
    return this.#send(this.#scan, count)
  }

  /** Xorshift (Marsaglia 2003): every word but 0 in turn. */
  #next(): number {
    let x = this.#random
    x ^= x << 13
    x ^= x >>> 17
    return this.#random = x ^ x << 5
  }

  #send(slab: Uint8Array, count: number): number {
    try {
      return this.#socket.send(slab, SLOT, this.#lengths, count)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOBUFS') return 0      // the link's queue is full
      throw error
    }
  }

  #accept(): void {
    const count = this.#socket.receive(this.#answers, SLOT, this.#meta)
    if (count === 0) return
    const now = performance.now()
    const { first, stride } = this.#pace.asked
    for (let i = 0; i < count; i++) {
      if (!this.#questions.isForUs(this.#meta, i)) continue
      const place = (this.#questions.answered(this.#answers, this.#meta, i) - first) / stride
      const askedAt = this.#askedAt[place] ?? 0
      if (askedAt > 0) {
        this.#latencies.push(now - askedAt)
        this.#askedAt[place] = 0
      } else {
        this.#unexpected++
      }
    }
  }
}

/** Puts the main threads of this program and of the responder on the last and the first CPU that there are (taskset(1)). */
function part(responder: number | undefined): void {
  const cpus = /^Cpus_allowed_list:\s+(.*)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1].split(/[-,]/)
  const put = (pid: number, cpu: string): void => { execFileSync('taskset', ['-cp', cpu, String(pid)]) }
  put(process.pid, cpus.at(-1)!)
  if (responder !== undefined) put(responder, cpus[0])
}

const pace = JSON.parse(process.argv[2]) as Pace
part(pace.pid)
const meter = new Meter(pace.pid)
process.stdout.write(`${JSON.stringify({ ...new Pacer(pace).run(), ...meter.read() })}\n`)
