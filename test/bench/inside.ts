/**
 * Hosts behind a responder: as many as one likes, each with an address and a link-layer address of its own, as one program
 * that answers solicitations on one link. `node inside.js HOSTS` with `Hosts` as JSON; it prints `ready`.
 *
 * If it is to announce them, each host sends an advertisement (RFC 4861 7.2.6) until it has been asked who it is, so
 * many at a time, as fast as the responder asks: then it prints `known`. On SIGUSR1 it prints `Seen`.
 */
import { native } from '../../src/linux/native.ts'
import { writeMac, writeWord } from '../../src/address.ts'
import type { Mac } from '../../src/address.ts'
import { icmpv6Checksum, write16 } from '../../src/wire/bytes.ts'
import { NEIGHBOR_SOLICITATION } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { na } from '../kit/frames.ts'
import { Questions, SLOT, target } from './questions.ts'

export interface Hosts {
  readonly ifindex: number
  /** Targets 0 to `hosts` - 1 live here. */
  readonly hosts: number
  readonly announce: boolean
}

/** Solicitations seen, and among them those for addresses that nobody here has. */
export interface Seen {
  readonly asked: number
  readonly unknown: number
}

const BATCH = 64
/** Hosts that have announced themselves and were not asked yet, at most; milliseconds until they do so again. */
const WINDOW = 512
const AGAIN = 1000
/** The first host's: locally administered. */
const FIRST_MAC = 0x02_01_00_00_00_00
/** Offsets in a frame with an Ethernet header. */
const FROM = 6
const SOURCE = 22
const DESTINATION = 38
const MESSAGE = 54
const TLLA = 80
const PACKET_OUTGOING = 4

const { ifindex, hosts, announce } = JSON.parse(process.argv[2]) as Hosts
// The hosts' own link-layer addresses are none of the link's: it has to hear what is sent to them.
const socket = native.openPacket({ ifindex, protocol: ETHERTYPE_IPV6, promiscuous: true, receiveBuffer: 16 << 20,
  filter: ndiscFilter(14, [NEIGHBOR_SOLICITATION]), cooked: false })
const questions = new Questions('02:00:00:00:00:01', 'fe80::1')
const frame = { from: '02:00:00:00:00:01', target: target(0) }
const answer = na({ ...frame, flags: 'SO' })
const announcement = na(frame)

const slab = new Uint8Array(BATCH * SLOT)
const meta = new Int32Array(BATCH * 4)
const out = new Uint8Array(BATCH * SLOT)
const lengths = new Int32Array(BATCH).fill(answer.length)
const known = new Uint8Array(announce ? hosts : 0)
let asked = 0
let unknown = 0

/** Makes slot `i` of what is sent an advertisement of host `n`. */
function write(stamp: Uint8Array, i: number, n: number, question?: Uint8Array): void {
  const at = i * SLOT
  out.set(stamp, at)
  if (question !== undefined) {
    out.set(question.subarray(FROM, FROM + 6), at)
    out.set(question.subarray(SOURCE, SOURCE + 16), at + DESTINATION)
  }
  const mac = FIRST_MAC + n as Mac
  writeMac(out, at + FROM, mac)
  writeMac(out, at + TLLA, mac)
  writeWord(out, at + SOURCE + 12, n)
  writeWord(out, at + MESSAGE + 20, n)
  write16(out, at + MESSAGE + 2, 0)
  write16(out, at + MESSAGE + 2, icmpv6Checksum(out.subarray(at), 14, stamp.length - MESSAGE))
}

function send(count: number): void {
  try {
    socket.send(out, SLOT, lengths, count)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOBUFS') throw error
  }
}

function listen(): void {
  for (let count = BATCH; count === BATCH;) {
    count = socket.receive(slab, SLOT, meta)
    let answers = 0
    for (let i = 0; i < count; i++) {
      if (meta[4 * i + 1] === PACKET_OUTGOING) continue
      const n = questions.numberOf(slab, i)
      asked++
      if (n < 0 || n >= hosts) {
        unknown++
        continue
      }
      write(answer, answers++, n, slab.subarray(i * SLOT, i * SLOT + SLOT))
      if (announce && known[n] === 0) met(n)
    }
    if (answers > 0) send(answers)
  }
  if (announce) introduce()
}

/** Hosts that announced themselves and were not asked yet, by when they did. */
const waiting = new Map<number, number>()
let next = 0
let missing = announce ? hosts : 0

function met(n: number): void {
  known[n] = 1
  waiting.delete(n)
  if (--missing === 0) process.stdout.write('known\n')
}

function introduce(): void {
  const now = performance.now()
  let count = 0
  for (const [n, at] of waiting) {
    if (now - at < AGAIN || count === BATCH) break
    waiting.delete(n)
    waiting.set(n, now)
    write(announcement, count++, n)
  }
  for (; next < hosts && waiting.size < WINDOW && count < BATCH; next++) {
    waiting.set(next, now)
    write(announcement, count++, next)
  }
  if (count > 0) send(count)
}

socket.start(listen)
if (announce) {
  const timer = setInterval(() => missing > 0 ? introduce() : clearInterval(timer), 5)
}
process.on('SIGUSR1', () => process.stdout.write(`${JSON.stringify({ asked, unknown } satisfies Seen)}\n`))
process.stdout.write('ready\n')
