/**
 * The program that holds a lab host's network namespace and acts inside it. `lab.ts` starts it under `unshare -n`. It reads
 * requests from stdin and writes replies to stdout, as JSON lines, and ends with stdin. It is also an echo server (RFC 862) for UDP:
 * the MSG_CONFIRM of iputils' ping would hide the reachability checks of the hosts in between. Frames pass through the daemon's own
 * packet socket (packet(7)), loaded at the first request that needs it.
 */
import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'
import type { NativeSocket } from '../../../src/linux/native.ts'

export const ECHO_PORT = 7

export type Request =
  | { readonly op: 'traffic'; readonly to: string; readonly from?: string; readonly rate: number
      readonly seconds: number; readonly patience: number }
  | { readonly op: 'inject'; readonly ifindex: number; readonly frames: readonly string[]; readonly gap: number }
  | { readonly op: 'scan'; readonly ifindex: number; readonly frame: string; readonly rate: number; readonly seconds: number }
  | { readonly op: 'capture'; readonly ifindex: number; readonly all: boolean }
  | { readonly op: 'release'; readonly capture: number }
  | { readonly op: 'echoed' }

/** The fate of numbered datagrams to an echo server. Times are milliseconds. */
export interface TrafficReport {
  readonly sent: number
  readonly received: number
  readonly lost: number
  /** Longest time without an echo, from the first datagram sent to the last. */
  readonly longestGap: number
  /** When the first 20 lost datagrams were sent, counted from the start. */
  readonly lostAt: readonly number[]
}

/** One frame seen on a link. `at` is CLOCK_MONOTONIC in milliseconds, comparable between agents. */
export interface SeenFrame {
  readonly at: number
  readonly outgoing: boolean
  readonly hex: string
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | ({ readonly capture: number } & SeenFrame)

/** Passes ICMPv6 over Ethernet: ldh [12]; jeq 0x86dd; ldb [20]; jeq 58; accept or not. */
const ICMPV6_ONLY = [[0x28, 0, 0, 12], [0x15, 0, 3, 0x86dd], [0x30, 0, 0, 20], [0x15, 0, 1, 58], [6, 0, 0, 65535], [6, 0, 0, 0]]
const PACKET_OUTGOING = 4
const SLOT = 2048

const captures = new Map<number, NativeSocket>()
/** For sending, by ifindex. They stay open: to close one waits for a grace period of the kernel's RCU, tens of milliseconds. */
const senders = new Map<number, NativeSocket>()
/** Datagrams that the echo server got. */
let echoed = 0

function clock(): number { return Number(process.hrtime.bigint() / 1000n) / 1000 }
function send(reply: Reply): void { process.stdout.write(`${JSON.stringify(reply)}\n`) }

function filterBytes(program: readonly (readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
  program.forEach(([code, yes, no, k], i) => {
    view.setUint16(i * 8, code, little)
    view.setUint8(i * 8 + 2, yes)
    view.setUint8(i * 8 + 3, no)
    view.setUint32(i * 8 + 4, k, little)
  })
  return bytes
}

async function open(ifindex: number, program: readonly (readonly number[])[]): Promise<NativeSocket> {
  const { native } = await import('../../../src/linux/native.ts')
  return native.openPacket({ ifindex, protocol: 0x0003, filter: filterBytes(program), promiscuous: false,
    receiveBuffer: 4 << 20, cooked: false })
}

async function capture(id: number, ifindex: number, all: boolean): Promise<void> {
  const socket = await open(ifindex, all ? [[6, 0, 0, 65535]] : ICMPV6_ONLY)
  const slab = Buffer.alloc(64 * SLOT)
  const meta = new Int32Array(64 * 4)
  captures.set(id, socket)
  socket.start(() => {
    try {
      const count = socket.receive(slab, SLOT, meta)
      const at = clock()
      for (let i = 0; i < count; i++) {
        const hex = slab.toString('hex', i * SLOT, i * SLOT + Math.min(meta[4 * i], SLOT))
        send({ capture: id, at, outgoing: meta[4 * i + 1] === PACKET_OUTGOING, hex })
      }
    } catch {
      // The link went down or is deleted: its capture ends.
      if (captures.get(id) === socket) release(id)
    }
  })
}

function release(id: number): void {
  captures.get(id)?.close()
  captures.delete(id)
}

/** @returns how many of the first `count` frames in `slab` were sent */
async function sendOn(ifindex: number, slab: Buffer, lengths: Int32Array, count: number): Promise<number> {
  const sender = senders.get(ifindex)
  try {
    if (sender !== undefined) return sender.send(slab, SLOT, lengths, count)
  } catch {
    // The link was down since: the error of then (ENETDOWN), or the socket is not bound any more.
    sender?.close()
  }
  senders.delete(ifindex)
  const opened = await open(ifindex, [[6, 0, 0, 0]])
  senders.get(ifindex)?.close()
  senders.set(ifindex, opened)
  return opened.send(slab, SLOT, lengths, count)
}

/** Sends frames, `gap` milliseconds apart (0: as fast as the link takes them). @returns how many were sent */
async function inject(ifindex: number, frames: readonly string[], gap: number): Promise<number> {
  const batch = gap > 0 ? 1 : 64
  const slab = Buffer.alloc(batch * SLOT)
  for (let next = 0; next < frames.length;) {
    const chunk = frames.slice(next, next + batch)
    const lengths = Int32Array.from(chunk, (hex, i) => slab.write(hex, i * SLOT, SLOT, 'hex'))
    next += await sendOn(ifindex, slab, lengths, chunk.length)
    await new Promise((resolve) => gap > 0 ? setTimeout(resolve, gap) : setImmediate(resolve))
  }
  return frames.length
}

/**
 * Sends a solicitation again and again, each time for a random address of its target's /64, at most `rate` a second. Offsets: RFC
 * 2464 3, RFC 8200 3, RFC 4861 4.3. @returns how many were sent
 */
async function scan({ ifindex, frame, rate, seconds }: Extract<Request, { op: 'scan' }>): Promise<number> {
  const size = frame.length / 2
  const slab = Buffer.alloc(64 * SLOT)
  const lengths = new Int32Array(64).fill(size)
  for (let i = 0; i < 64; i++) slab.write(frame, i * SLOT, SLOT, 'hex')
  const words = (at: number): number[] => [0, 2, 4, 6].map((offset) => slab.readUInt16BE(at + offset))
  const start = clock()
  let sent = 0
  while (clock() - start < seconds * 1000) {
    const due = Math.min(64, Math.floor((clock() - start) * rate / 1000) - sent)
    for (let i = 0; i < due; i++) {
      const at = i * SLOT
      const before = [...words(at + 70), slab.readUInt16BE(at + 52), slab.readUInt8(at + 51)]
      // Far from every host: 2001:db8::8000:0:0:0 and above.
      slab.writeUInt32BE((Math.random() * 2 ** 31 + 2 ** 31) >>> 0, at + 70)
      slab.writeUInt32BE((Math.random() * 2 ** 32) >>> 0, at + 74)
      slab.copy(slab, at + 51, at + 75, at + 78)
      slab.copy(slab, at + 3, at + 75, at + 78)
      const after = [...words(at + 70), slab.readUInt16BE(at + 52), slab.readUInt8(at + 51)]
      // RFC 1624 3: HC' = ~(~HC + ~m + m').
      let sum = ~slab.readUInt16BE(at + 56) & 0xffff
      for (let n = 0; n < after.length; n++) sum += (~before[n] & 0xffff) + after[n]
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
      slab.writeUInt16BE(~sum & 0xffff, at + 56)
    }
    if (due > 0) sent += await sendOn(ifindex, slab, lengths, due)
    if (due < 64) await new Promise((resolve) => setTimeout(resolve, 1))
    else await new Promise((resolve) => setImmediate(resolve))
  }
  return sent
}

/** Sends numbered datagrams to an echo server, `rate` a second. Echoes count up to `patience` milliseconds after the last one. */
async function traffic(request: Extract<Request, { op: 'traffic' }>): Promise<TrafficReport> {
  const socket = createSocket('udp6')
  const total = Math.round(request.rate * request.seconds)
  const sentAt: number[] = []
  const missing = new Set<number>()
  const arrivals: number[] = []
  socket.on('message', (message) => { if (missing.delete(message.readUInt32BE(0))) arrivals.push(clock()) })
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.bind({ address: request.from ?? '::' }, resolve))
  const start = clock()
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor((clock() - start) * request.rate / 1000) + 1)
      while (sentAt.length < due) {
        const payload = Buffer.alloc(32)
        payload.writeUInt32BE(sentAt.length)
        missing.add(sentAt.length)
        sentAt.push(clock())
        socket.send(payload, ECHO_PORT, request.to, () => {})   // an error is a lost datagram
      }
      if (sentAt.length < total) return
      clearInterval(timer)
      resolve()
    }, Math.min(5, 1000 / request.rate))
  })
  const end = clock()
  while (missing.size > 0 && clock() - end < request.patience) await new Promise((resolve) => setTimeout(resolve, 5))
  socket.close()
  const marks = [start, ...arrivals.filter((at) => at < end), ...(missing.size > 0 ? [end] : arrivals.slice(-1))]
  const longestGap = Math.max(...marks.slice(1).map((at, i) => at - marks[i]), 0)
  return { sent: total, received: total - missing.size, lost: missing.size, longestGap: Math.round(longestGap),
    lostAt: [...missing].slice(0, 20).map((n) => Math.round(sentAt[n] - start)) }
}

async function carryOut(id: number, request: Request): Promise<unknown> {
  switch (request.op) {
    case 'traffic': return traffic(request)
    case 'inject': return inject(request.ifindex, request.frames, request.gap)
    case 'scan': return scan(request)
    case 'capture': return capture(id, request.ifindex, request.all)
    case 'release': return release(request.capture)
    case 'echoed': return echoed
  }
}

function main(): void {
  const echo = createSocket('udp6')
  echo.on('message', (message, peer) => {
    echoed++
    echo.send(message, peer.port, peer.address, () => {})
  })
  echo.on('error', () => {})
  echo.bind(ECHO_PORT, () => send({ id: 0, result: 'ready' }))
  const requests = createInterface({ input: process.stdin })
  requests.on('line', (line) => {
    const { id, ...request } = JSON.parse(line) as Request & { id: number }
    carryOut(id, request).then((result) => send({ id, result: result ?? null }), (error: unknown) => send({ id, error: String(error) }))
  })
  requests.on('close', () => process.exit(0))
}

if (process.argv[1]?.endsWith('agent.js')) main()
