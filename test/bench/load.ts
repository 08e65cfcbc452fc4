/**
 * The load of a polling solicitor. `node load.js LOAD`, with a `Load` as JSON, runs in the solicitor's namespace and prints one
 * `Measurement`. The load is closed (a number of solicitations is outstanding, each answer releases the next one) or open (a
 * steady rate, whether answers come or not), perhaps with a scan of the /64 beside it.
 *
 * It must cost much less than a responder. So the solicitations are made beforehand, batches go through the daemon's
 * own packet socket, and the program polls without sleeping, which keeps its event loop and its wakeups out of the figures.
 * Latency runs from just before the send call to the return of the receive call.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { SLOT } from './solicitations.ts'
import { BATCH, type Solicited, Solicitor } from './solicitor.ts'
import { Meter, type Percentiles, percentiles } from './usage.ts'

export interface Load extends Solicited {
  /** Solicitations outstanding (at most as many as there are targets), or solicitations a second. */
  readonly outstanding?: number
  readonly rate?: number
  /** Solicitations a second for random addresses of the /64. */
  readonly scan?: number
  /** Seconds of load before the measurement, and of the measurement. */
  readonly warmup?: number
  readonly seconds: number
  /** Process id of the responder; the kernel has none. */
  readonly pid?: number
}

export interface Measurement extends Percentiles {
  readonly seconds: number
  readonly sent: number
  readonly answered: number
  /** Solicitations without an answer within PATIENCE. */
  readonly lost: number
  /** Answers to solicitations that were not outstanding. */
  readonly unexpected: number
  /** Solicitations for random addresses, in a second. */
  readonly scanned: number
  /** Share of the time in which no answer waited. Near 0 the solicitor itself is the limit. */
  readonly idle: number
  /** CPUs that programs other than these two kept busy: above about 0.2 the figures are not to be trusted. */
  readonly others: number
  /** CPU seconds of the responder. */
  readonly cpu: number
}

/** Milliseconds until a solicitation counts as lost, and between two searches for lost ones. */
const PATIENCE = 250
const SEARCH = 20
/** Latencies kept of one measurement. */
const SAMPLES = 1 << 21
/** Solicitations of a scan in a batch, which adds at most about 20 us to a latency. A scan that is later than BEHIND ms skips some. */
const SCAN_BATCH = 8
const BEHIND = 5

class Run {
  readonly #load: Load
  readonly #solicitor: Solicitor
  readonly #sendScan: (count: number) => number
  /** By place of the target: when its solicitation was sent (milliseconds), or 0 while none is outstanding. */
  readonly #sentAt: Float64Array
  readonly #latencies = new Float64Array(SAMPLES)
  #next = 0
  #sent = 0
  #outstanding = 0
  #answered = 0
  #lost = 0
  #unexpected = 0

  constructor(load: Load) {
    this.#load = load
    this.#solicitor = new Solicitor(load)
    this.#sendScan = scanner(this.#solicitor)
    this.#sentAt = new Float64Array(load.solicited.targets)
  }

  /** Solicits for `seconds`, then waits for the answers still due. */
  run(seconds: number): Omit<Measurement, 'cpu' | 'others'> {
    const { scan = 0 } = this.#load
    this.#sent = this.#answered = this.#lost = this.#unexpected = 0
    const start = performance.now()
    const end = start + seconds * 1000
    let now = start, search = start + SEARCH, idle = 0, scanned = 0, skipped = 0
    while (now < end) {
      const due = Math.min(this.#due(now - start), BATCH)
      if (due > 0) this.#solicit(due)
      const dueScan = Math.floor((now - start) * scan / 1000) - scanned - skipped
      if (dueScan > BEHIND * scan / 1000) skipped += dueScan
      else if (dueScan > 0) scanned += this.#sendScan(Math.min(dueScan, SCAN_BATCH))
      const before = now
      const found = this.#solicitor.receive(this.#accept)
      now = performance.now()
      if (found > 0) continue
      idle += now - before
      if (now < search) continue
      this.#giveUp(now - PATIENCE)
      search = now + SEARCH
    }
    while (this.#outstanding > 0 && performance.now() < now + PATIENCE) this.#solicitor.receive(this.#accept)
    this.#giveUp(Infinity)
    return { seconds: (now - start) / 1000, sent: this.#sent, answered: this.#answered, lost: this.#lost, unexpected: this.#unexpected,
      ...percentiles(this.#latencies.subarray(0, this.#answered)), scanned: scanned / seconds, idle: idle / (now - start) }
  }

  /** @returns how many solicitations to send. @param elapsed milliseconds */
  #due(elapsed: number): number {
    const { outstanding = 0, rate } = this.#load
    return rate === undefined ? outstanding - this.#outstanding : Math.ceil(elapsed * rate / 1000) - this.#sent
  }

  /** Solicits the next `count` targets that have no outstanding solicitation. */
  #solicit(count: number): void {
    const places: number[] = []
    const { targets } = this.#load.solicited
    for (let tried = 0; places.length < count && tried < targets; tried++) {
      if (this.#sentAt[this.#next] === 0) this.#solicitor.put(places.push(this.#next) - 1, this.#next)
      this.#next = this.#next + 1 === targets ? 0 : this.#next + 1
    }
    const now = performance.now()
    const sent = this.#solicitor.send(places.length)
    for (let i = 0; i < sent; i++) this.#sentAt[places[i]] = now
    this.#outstanding += sent
    this.#sent += sent
  }

  readonly #accept = (place: number, now: number): void => {
    const sentAt = this.#sentAt[place] ?? 0
    if (sentAt === 0) {
      this.#unexpected++
      return
    }
    if (this.#answered < SAMPLES) this.#latencies[this.#answered] = now - sentAt
    this.#answered++
    this.#outstanding--
    this.#sentAt[place] = 0
  }

  /** Counts the solicitations sent before `time` as lost. */
  #giveUp(time: number): void {
    this.#sentAt.forEach((sentAt, place) => {
      if (sentAt === 0 || sentAt > time) return
      this.#lost++
      this.#outstanding--
      this.#sentAt[place] = 0
    })
  }
}

/** @returns a function that solicits `count` random addresses, at most SCAN_BATCH, and returns how many it sent */
function scanner(solicitor: Solicitor): (count: number) => number {
  const slab = new Uint8Array(SCAN_BATCH * SLOT)
  for (let i = 0; i < SCAN_BATCH; i++) solicitor.solicitations.write(slab, i * SLOT, 0)
  let x = 0x2545f491
  // Xorshift (Marsaglia 2003) visits every word except 0.
  const random = (): number => {
    x ^= x << 13
    x ^= x >>> 17
    return x ^= x << 5
  }
  return (count) => {
    // The highest bit of the third word keeps these apart from the targets.
    for (let i = 0; i < count; i++) solicitor.solicitations.retarget(slab, i * SLOT, random() | 0x80000000, random())
    return solicitor.send(count, slab)
  }
}

/**
 * Puts the main threads of this program and of the responder on the last and on the first CPU allowed (taskset(1)). The kernel
 * likes to put a program and the one that it wakes on the same CPU; an answer would then wait for the solicitor.
 */
function separate(responder: number | undefined): void {
  const cpus = /^Cpus_allowed_list:\s+(.*)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1].split(/[-,]/)
  const pin = (pid: number, cpu: string): void => { execFileSync('taskset', ['-cp', cpu, String(pid)]) }
  pin(process.pid, cpus.at(-1)!)
  if (responder !== undefined) pin(responder, cpus[0])
}

const load = JSON.parse(process.argv[2]) as Load
if (load.rate !== undefined) separate(load.pid)
const solicitation = new Run(load)
solicitation.run(load.warmup ?? 0)
const meter = new Meter(load.pid)
process.stdout.write(`${JSON.stringify({ ...solicitation.run(load.seconds), ...meter.read() } satisfies Measurement)}\n`)
