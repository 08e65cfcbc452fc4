/** Virtual time and virtual links with weather. Randomness is seeded, so a failing seed fails again. Wireshark reads `pcap`. */
import type { Random } from '../../../src/engine-types.ts'
import type { Frame } from './frame.ts'

export interface Weather {
  /** Chance of each, in [0, 1). */
  readonly loss: number
  readonly duplication: number
  /** Longest delay of a frame, ms: frames overtake one another. */
  readonly delay: number
}

export const CALM: Weather = { loss: 0, duplication: 0, delay: 0.2 }
/** Frames are doubled and out of order, but none is lost. */
export const GUSTY: Weather = { loss: 0, duplication: 0.2, delay: 50 }
export const STORM: Weather = { loss: 0.2, duplication: 0.2, delay: 50 }

interface Task {
  readonly at: number
  readonly seq: number
  readonly work: () => void
}

function isBefore(a: Task, b: Task): boolean { return a.at < b.at || (a.at === b.at && a.seq < b.seq) }

/** Virtual time in ms, and the events in it. */
export class World {
  readonly random: Random
  /** Of all segments. */
  weather = CALM
  /** All announcements of proxies are lost: nothing may depend on them (RFC 4861 7.2.6). */
  readonly isMuted: boolean
  now = 0
  readonly #frames: { at: number; bytes: Uint8Array }[] | undefined
  #seq = 0
  /** A binary heap. */
  readonly #queue: Task[] = []

  constructor(random: Random, { isMuted = false, isRecorded = false } = {}) {
    this.random = random
    this.isMuted = isMuted
    this.#frames = isRecorded ? [] : undefined
  }

  after(ms: number, work: () => void): void {
    const queue = this.#queue
    const entry = { at: this.now + ms, seq: this.#seq++, work }
    let at = queue.push(entry) - 1
    for (let up = (at - 1) >> 1; at > 0 && isBefore(entry, queue[up]); up = (at - 1) >> 1) {
      queue[at] = queue[up]
      at = up
    }
    queue[at] = entry
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    const until = this.now + ms
    while (this.#queue.length > 0 && this.#queue[0].at <= until) this.step()
    this.now = until
  }

  /** Does what is due next, at its time. */
  step(): void {
    const next = this.#queue[0]
    if (next === undefined) return
    this.#shift()
    this.now = next.at
    next.work()
  }

  record(bytes: Uint8Array): void { this.#frames?.push({ at: this.now, bytes }) }

  /** @returns all frames as a capture file (LINKTYPE_ETHERNET) */
  pcap(): Uint8Array {
    const frames = this.#frames ?? []
    const size = frames.reduce((sum, { bytes }) => sum + 16 + bytes.length, 24)
    const file = new DataView(new ArrayBuffer(size));
    [0xa1b2c3d4, 0x00020004, 0, 0, 65535, 1].forEach((word, i) => file.setUint32(4 * i, word))
    let at = 24
    for (const { at: ms, bytes } of frames) {
      [ms / 1000, (ms % 1000) * 1000, bytes.length, bytes.length].forEach((word, i) => file.setUint32(at + 4 * i, word))
      new Uint8Array(file.buffer).set(bytes, at + 16)
      at += 16 + bytes.length
    }
    return new Uint8Array(file.buffer)
  }

  #shift(): void {
    const queue = this.#queue
    const last = queue.pop()!
    if (queue.length === 0) return
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      if (down + 1 < queue.length && isBefore(queue[down + 1], queue[down])) down++
      if (down >= queue.length || isBefore(last, queue[down])) break
      queue[at] = queue[down]
      at = down
    }
    queue[at] = last
  }
}

/** A host's end of a segment. */
export interface Port {
  /** @returns whether frames to this link-layer address pass the switch with MLD snooping and the network card */
  accepts(mac: number): boolean
  receive(frame: Frame): void
}

/** An Ethernet segment. */
export class Segment {
  readonly world: World
  /** Its switch passes multicast to members only (RFC 4541 2.1). */
  readonly isSnooping: boolean
  onFrame: ((frame: Frame, from: Port) => void) | undefined
  readonly #ports = new Set<Port>()
  /** Ports that accept a link-layer address, cached. */
  readonly #receivers = new Map<number, readonly Port[]>()

  constructor(world: World, isSnooping = false) {
    this.world = world
    this.isSnooping = isSnooping
  }

  plug(port: Port): void {
    this.#ports.add(port)
    this.changed()
  }

  unplug(port: Port): void {
    this.#ports.delete(port)
    this.changed()
  }

  /** Call it when a port accepts other frames than before. */
  changed(): void { this.#receivers.clear() }

  /** Delivers a frame to all ports that accept it, unless `from` is not connected. */
  send(frame: Frame, from: Port): void {
    if (!this.#ports.has(from)) return
    const { world, world: { weather: { loss, duplication, delay } } } = this
    world.record(frame.bytes)
    this.onFrame?.(frame, from)
    let receivers = this.#receivers.get(frame.to)
    if (receivers === undefined) this.#receivers.set(frame.to, receivers = [...this.#ports].filter((port) => port.accepts(frame.to)))
    for (const port of receivers) {
      if (port === from || world.random() < loss) continue
      for (let copies = world.random() < duplication ? 2 : 1; copies > 0; copies--) {
        world.after(world.random() * delay, () => { if (this.#ports.has(port)) port.receive(frame) })
      }
    }
  }
}
