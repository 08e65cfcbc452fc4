/** Links and sockets of tests, in the network namespace of the test file. */
import { native, type NativeSocket, type PacketOptions } from '../../../src/linux/native.ts'
import type { PacketReader } from '../../../src/linux/packet-socket.ts'
import type { NdiscView } from '../../../src/wire/ndisc-decode.ts'
import { sh } from '../../kit/namespace.ts'
import { until } from '../../kit/until.ts'

/** A filter that passes every packet. */
const ALL = Uint8Array.of(6, 0, 0, 0, 255, 255, 0, 0)
const SLOT = 2048
const SLOTS = 64

export const ifindex = (name: string): number => Number.parseInt(sh(`ip -o link show ${name}`))

/** Makes a veth pair that is up and sends nothing by itself: no end has IPv6. MACs: 02:00:00:00:00:ff and 02:00:00:00:00:01. */
export function makePair(near = 'v0', far = 'v1'): void {
  sh(`ip link add ${near} address 02:00:00:00:00:ff type veth peer name ${far} address 02:00:00:00:00:01
      for i in ${near} ${far}; do sysctl -qw net.ipv6.conf.$i.disable_ipv6=1; ip link set $i up; done`)
}

/** A packet socket of a link, with all IPv6 packets by default. */
export function openPacket(name: string, options: Partial<PacketOptions> = {}): NativeSocket {
  return native.openPacket({ ifindex: ifindex(name), protocol: 0x86dd, filter: ALL, promiscuous: false, receiveBuffer: 2 ** 20,
    cooked: false, ...options })
}

/** Sends frames out of a link, and shows those that arrive there. */
export class Wire {
  readonly socket: NativeSocket
  readonly #slab = Buffer.alloc(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)

  constructor(name: string, options: Partial<PacketOptions> = {}) { this.socket = openPacket(name, options) }

  /** Sends a frame, `count` times. */
  send(frame: Uint8Array, count = 1): void {
    const slab = Buffer.concat(Array<Uint8Array>(count).fill(frame))
    const lengths = new Int32Array(count).fill(frame.length)
    for (let sent = 0; sent < count;) sent += this.socket.send(slab.subarray(sent * frame.length), frame.length, lengths, count - sent)
  }

  /** Frames that arrived since the last call, up to 64. */
  take(): Buffer[] {
    return Array.from({ length: this.socket.receive(this.#slab, SLOT, this.#meta) },
      (_, i) => Buffer.from(this.#slab.subarray(i * SLOT, i * SLOT + this.#meta[4 * i])))
  }

  close(): void { this.socket.close() }
}

/** A reader of a packet socket that gets one packet at a time; `failed` throws, unless it is given. */
export function readPackets(packet: (view: NdiscView) => void, more: Partial<PacketReader> = {}): PacketReader {
  return {
    packets: (batch) => {
      for (let i = 0; i < batch.size; i++) {
        const view = batch.read(i)
        if (view !== undefined) packet(view)
      }
    },
    invalid: () => {},
    query: () => {},
    failed: (error) => { throw error },
    ...more,
  }
}

/** A socket that receives nothing and sends everything, except what `methods` do. */
export function fakeSocket(methods: Partial<NativeSocket> = {}): NativeSocket {
  return { receive: () => 0, send: (_slab, _slot, _lengths, count) => count, start: () => {}, stop: () => {}, drain: () => {}, drops: () => 0,
    close: () => {}, ...methods }
}

/** Reports of a watcher. @returns `take`: those since the last call; `next`: the same, at least one, once it comes */
export function reports() {
  const events: string[] = []
  const take = (): string[] => events.splice(0)
  const next = async (): Promise<string[]> => {
    await until(() => events.length > 0)
    return take()
  }
  return { events, take, next }
}

/** The code of an error, or its message. */
export const codeOf = (error: Error): string => (error as { code?: string }).code ?? error.message
