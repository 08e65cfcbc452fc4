/**
 * Hosts behind a responder: one program that answers solicitations on one link for any number of hosts, each with an address and a
 * link-layer address of its own. `node inside-hosts.js HOSTS`, with `Hosts` as JSON, prints `ready`.
 *
 * Hosts that announce themselves repeat an advertisement (RFC 4861 7.2.6) until they are solicited. When all were solicited, the
 * program prints `known`. On SIGUSR1 it prints `Seen`.
 */
import { native } from '../../src/linux/native.ts'
import { type Mac, writeMac, writeWord } from '../../src/address.ts'
import { icmpv6Checksum, write16 } from '../../src/wire/bytes.ts'
import { NEIGHBOR_SOLICITATION } from '../../src/wire/constants.ts'
import { ETHERTYPE_IPV6 } from '../../src/wire/frame.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { na } from '../kit/frames.ts'
import { SLOT, Solicitations, target } from './solicitations.ts'

export interface Hosts {
  readonly ifindex: number
  /** Targets 0 to `hosts` - 1 are here. */
  readonly hosts: number
  readonly announce: boolean
}

/** Solicitations received for addresses that no host here has. */
export interface Seen {
  readonly unknown: number
}

const BATCH = 64
/** Milliseconds between two batches of announcements. */
const PERIOD = 5
/** Link-layer address of host 0, locally administered. */
const FIRST_MAC = 0x02_01_00_00_00_00
/** Offsets in a frame with an Ethernet header. */
const FROM = 6
const SOURCE = 22
const DESTINATION = 38
const MESSAGE = 54
const TLLA = 80
const PACKET_OUTGOING = 4

const { ifindex, hosts, announce } = JSON.parse(process.argv[2]) as Hosts
// The link-layer addresses of the hosts are not the link's, so only a promiscuous socket receives what is sent to them.
const socket = native.openPacket({ ifindex, protocol: ETHERTYPE_IPV6, promiscuous: true, receiveBuffer: 16 << 20,
  filter: ndiscFilter(14, [NEIGHBOR_SOLICITATION]), cooked: false })
const solicitations = new Solicitations('02:00:00:00:00:01', 'fe80::1')
const frame = { from: '02:00:00:00:00:01', target: target(0) }
const answer = na({ ...frame, flags: 'SO' })
const announcement = na(frame)

const slab = new Uint8Array(BATCH * SLOT)
const meta = new Int32Array(BATCH * 4)
const out = new Uint8Array(BATCH * SLOT)
const lengths = new Int32Array(BATCH).fill(answer.length)
const known = new Uint8Array(announce ? hosts : 0)
let unknown = 0

/** Writes an advertisement of host `n` into slot `i` of the next batch, to the sender of `solicitation` if there is one. */
function write(template: Uint8Array, i: number, n: number, solicitation?: Uint8Array): void {
  const at = i * SLOT
  out.set(template, at)
  if (solicitation !== undefined) {
    out.set(solicitation.subarray(FROM, FROM + 6), at)
    out.set(solicitation.subarray(SOURCE, SOURCE + 16), at + DESTINATION)
  }
  const mac = FIRST_MAC + n as Mac
  writeMac(out, at + FROM, mac)
  writeMac(out, at + TLLA, mac)
  writeWord(out, at + SOURCE + 12, n)
  writeWord(out, at + MESSAGE + 20, n)
  write16(out, at + MESSAGE + 2, 0)
  write16(out, at + MESSAGE + 2, icmpv6Checksum(out.subarray(at), 14, template.length - MESSAGE))
}

function send(count: number): void {
  try {
    socket.send(out, SLOT, lengths, count)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOBUFS') throw error
  }
}

function receive(): void {
  for (let count = BATCH; count === BATCH;) {
    count = socket.receive(slab, SLOT, meta)
    let answers = 0
    for (let i = 0; i < count; i++) {
      if (meta[4 * i + 1] === PACKET_OUTGOING) continue
      const n = solicitations.numberOf(slab, i)
      if (n < 0 || n >= hosts) {
        unknown++
        continue
      }
      write(answer, answers++, n, slab.subarray(i * SLOT, i * SLOT + SLOT))
      if (!announce || known[n] === 1) continue
      known[n] = 1
      if (--missing === 0) process.stdout.write('known\n')
    }
    if (answers > 0) send(answers)
  }
}

let next = 0
let missing = announce ? hosts : 0

/** Announces the next hosts that are not known; again in the next turn, if the responder has not solicited them by then. */
function announceNext(): void {
  let count = 0
  for (let tried = 0; tried < hosts && count < BATCH; tried++, next = next + 1 === hosts ? 0 : next + 1) {
    if (known[next] === 0) write(announcement, count++, next)
  }
  if (count > 0) send(count)
}

socket.start(receive)
if (announce) {
  const timer = setInterval(() => missing > 0 ? announceNext() : clearInterval(timer), PERIOD)
}
process.on('SIGUSR1', () => process.stdout.write(`${JSON.stringify({ unknown } satisfies Seen)}\n`))
process.stdout.write('ready\n')
