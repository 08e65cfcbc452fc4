/**
 * The light load: asks once in a millisecond and sleeps in between, so that it leaves the CPUs to what goes on beside it.
 * `node ticker.js TICKS` with `Ticks` as JSON, in the asker's namespace. It prints `ready`, then `first AT` with the
 * time of the first answer (CLOCK_MONOTONIC, milliseconds: comparable between programs), and on SIGUSR1 a `Tally` of
 * the time since the first answer, or the last tally.
 */
import { native } from '../../src/linux/native.ts'
import { NEIGHBOR_ADVERTISEMENT } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import type { Load } from './asker.ts'
import { Questions, SLOT } from './questions.ts'

export type Ticks = Pick<Load, 'ifindex' | 'mac' | 'source' | 'asked'>

export interface Tally {
  readonly asked: number
  readonly answered: number
  /** Milliseconds from a question to its answer, the longest. */
  readonly worst: number
}

const BATCH = 64
/** Milliseconds until a question counts as lost: then an asker asks again (RFC 4861 10, RETRANS_TIMER). */
const PATIENCE = 1000

const { ifindex, mac, source, asked: { targets, first, stride } } = JSON.parse(process.argv[2]) as Ticks
const socket = native.openPacket({ ifindex, protocol: ETHERTYPE_IPV6, promiscuous: false, receiveBuffer: 4 << 20,
  filter: ndiscFilter(14, [NEIGHBOR_ADVERTISEMENT]), cooked: false })
const questions = new Questions(mac, source)
const slab = new Uint8Array(SLOT)
const answers = new Uint8Array(BATCH * SLOT)
const meta = new Int32Array(BATCH * 4)
const lengths = Int32Array.of(questions.length)
/** By target: when it was asked, the oldest first. */
const open = new Map<number, number[]>()
const start = performance.now()
let ticks = 0
let isAnswered = false
let tally = { asked: 0, answered: 0, worst: 0 }

function tick(): void {
  for (; ticks < performance.now() - start; ticks++) {
    const n = first + ticks % targets * stride
    questions.write(slab, 0, n)
    const now = performance.now()
    const times = (open.get(n) ?? []).filter((at) => now - at < PATIENCE)
    open.set(n, [...times, now])
    tally.asked++
    try {
      socket.send(slab, SLOT, lengths, 1)
    } catch {
      // The link is not there yet: a question without an answer.
    }
  }
}

function listen(): void {
  const count = socket.receive(answers, SLOT, meta)
  const now = performance.now()
  for (let i = 0; i < count; i++) {
    if (!questions.isForUs(meta, i)) continue
    const n = questions.answered(answers, meta, i)
    const askedAt = open.get(n)?.shift()
    if (askedAt === undefined) continue
    if (!isAnswered) {
      isAnswered = true
      tally = { asked: 1, answered: 0, worst: 0 }
      open.clear()
      process.stdout.write(`first ${Number(process.hrtime.bigint()) / 1e6}\n`)
    }
    tally.answered++
    tally.worst = Math.max(tally.worst, now - askedAt)
  }
}

socket.start(listen)
process.on('SIGUSR1', () => {
  // What is on its way yet counts for the next time.
  const now = performance.now()
  const due = [...open.values()].flat().filter((at) => now - at < PATIENCE).length
  process.stdout.write(`${JSON.stringify({ ...tally, asked: tally.asked - due } satisfies Tally)}\n`)
  tally = { asked: due, answered: 0, worst: 0 }
})
process.stdout.write('ready\n')
setInterval(tick, 1)
