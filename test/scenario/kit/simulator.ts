/**
 * Virtual links, hosts and a proxy in virtual time: the whole protocol without a kernel. Chance is seeded, so a failing
 * seed fails again; `pcap` shows its frames in wireshark.
 *
 * Hosts do what Linux does, as far as an ND proxy can tell: DAD (RFC 4862 5.4), address resolution and NUD (RFC 4861 7.2,
 * 7.3), and answers with Override to multicast, without it and without TLLA to unicast solicitations.
 */
import { formatMac } from '../../../src/address.ts'
import type { Mac } from '../../../src/address.ts'
import { DELAY_FIRST_PROBE_TIME, NEIGHBOR_SOLICITATION, REACHABLE_TIME, RETRANS_TIMER } from '../../../src/wire/constants.ts'
import { NdiscView } from '../../../src/wire/ndisc.ts'
import type { Random } from '../../../src/engine/types.ts'
import { na, ns } from '../../engine/kit/frames.ts'

/** Time in ms, and what happens when. */
export class World {
  readonly random: Random
  readonly frames: { at: number; frame: Uint8Array }[] = []
  now = 0
  #seq = 0
  #queue: { at: number; seq: number; work: () => void }[] = []

  constructor(random: Random) { this.random = random }

  after(ms: number, work: () => void): void {
    const entry = { at: this.now + ms, seq: this.#seq++, work }
    let i = this.#queue.length
    while (i > 0 && this.#queue[i - 1].at > entry.at) i--
    this.#queue.splice(i, 0, entry)
  }

  /** Lets `ms` pass. */
  run(ms: number): void {
    const until = this.now + ms
    for (let next = this.#queue[0]; next !== undefined && next.at <= until; next = this.#queue[0]) {
      this.#queue.shift()
      this.now = next.at
      next.work()
    }
    this.now = until
  }

  /** What was sent, as a capture file (LINKTYPE_ETHERNET). */
  pcap(): Uint8Array {
    const size = this.frames.reduce((sum, { frame }) => sum + 16 + frame.length, 24)
    const file = new DataView(new ArrayBuffer(size));
    [0xa1b2c3d4, 0x00020004, 0, 0, 65535, 1].forEach((word, i) => file.setUint32(4 * i, word))
    let at = 24
    for (const { at: ms, frame } of this.frames) {
      [ms / 1000, (ms % 1000) * 1000, frame.length, frame.length].forEach((word, i) => file.setUint32(at + 4 * i, word))
      new Uint8Array(file.buffer).set(frame, at + 16)
      at += 16 + frame.length
    }
    return new Uint8Array(file.buffer)
  }
}

export interface Weather {
  /** Chance of each, in [0, 1). */
  readonly loss: number
  readonly duplication: number
  /** A frame takes up to this long, so that frames overtake one another; ms. */
  readonly delay: number
}

export const CALM: Weather = { loss: 0, duplication: 0, delay: 0.2 }

type Receiver = (frame: Uint8Array) => void

/** An Ethernet segment. */
export class Segment {
  readonly world: World
  weather = CALM
  readonly #ports = new Set<Receiver>()

  constructor(world: World) { this.world = world }

  /** @returns what sends from there; after `unplug` nothing passes either way */
  plug(receive: Receiver): { send: (frame: Uint8Array) => void; unplug: () => void } {
    this.#ports.add(receive)
    return {
      send: (frame) => { if (this.#ports.has(receive)) this.#send(frame, receive) },
      unplug: () => { this.#ports.delete(receive) },
    }
  }

  #send(frame: Uint8Array, from: Receiver): void {
    const { world, weather: { loss, duplication, delay } } = this
    world.frames.push({ at: world.now, frame })
    for (const port of this.#ports) {
      if (port === from || world.random() < loss) continue
      for (let copies = world.random() < duplication ? 2 : 1; copies > 0; copies--) {
        world.after(world.random() * delay, () => { if (this.#ports.has(port)) port(frame) })
      }
    }
  }
}

interface Entry {
  state: 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'FAILED'
  mac: string
  probes: number
  /** Outdates what was planned for an earlier state. */
  epoch: number
}

export class Host {
  readonly mac: string
  readonly linkLocal: string
  readonly addresses = new Map<string, 'tentative' | 'valid' | 'duplicate'>()
  readonly #world: World
  readonly #cache = new Map<string, Entry>()
  readonly #view = new NdiscView()
  #port: { send: (frame: Uint8Array) => void; unplug: () => void }

  /** @param n makes its link-layer and link-local addresses; `valid`: its other addresses, without DAD */
  constructor(segment: Segment, n: number, ...valid: string[]) {
    this.#world = segment.world
    this.mac = formatMac((0x020000000000 + n) as Mac)
    this.linkLocal = `fe80::${n.toString(16)}`
    this.#port = segment.plug((frame) => this.#receive(frame))
    for (const address of [this.linkLocal, ...valid]) this.addresses.set(address, 'valid')
  }

  move(segment: Segment): void {
    this.#port.unplug()
    this.#port = segment.plug((frame) => this.#receive(frame))
  }

  unplug(): void { this.#port.unplug() }

  /** Takes an address, with DAD (one probe, within a second). */
  claim(address: string): void {
    this.addresses.set(address, 'tentative')
    this.#world.after(this.#world.random() * 1000, () => {
      this.#port.send(ns({ target: address, from: this.mac, source: '::' }))
      this.#world.after(RETRANS_TIMER, () => {
        if (this.addresses.get(address) === 'tentative') this.addresses.set(address, 'valid')
      })
    })
  }

  /** Has a packet for `target`: resolves it, or uses what it knows. */
  use(target: string): void {
    const entry = this.#cache.get(target)
    if (entry === undefined || entry.state === 'FAILED') {
      const fresh: Entry = { state: 'INCOMPLETE', mac: '', probes: 0, epoch: 0 }
      this.#cache.set(target, fresh)
      this.#solicit(target, fresh)
    } else if (entry.state === 'STALE') {
      this.#enter(entry, 'DELAY')
      this.#later(entry, DELAY_FIRST_PROBE_TIME, () => {
        this.#enter(entry, 'PROBE')
        entry.probes = 0
        this.#solicit(target, entry)
      })
    }
  }

  /** Uses `target` every `ms`. */
  talk(target: string, ms = 1000): void {
    this.use(target)
    this.#world.after(ms, () => this.talk(target, ms))
  }

  /** The link-layer address that packets for `target` go to. */
  reaches(target: string): string | undefined {
    const entry = this.#cache.get(target)
    return entry === undefined || entry.state === 'INCOMPLETE' || entry.state === 'FAILED' ? undefined : entry.mac
  }

  #solicit(target: string, entry: Entry): void {
    if (entry.probes++ === 3) return this.#enter(entry, 'FAILED')
    // The global address as source, as for a packet of its own; a router takes its link-local one.
    const source = [...this.addresses].filter(([, state]) => state === 'valid').pop()![0]
    this.#port.send(ns({ target, from: this.mac, source, ...(entry.state === 'PROBE' ? { to: target, toMac: entry.mac } : {}) }))
    this.#later(entry, RETRANS_TIMER, () => this.#solicit(target, entry))
  }

  #enter(entry: Entry, state: Entry['state']): void {
    entry.state = state
    entry.epoch++
    if (state === 'REACHABLE') {
      this.#later(entry, REACHABLE_TIME * (0.5 + this.#world.random()), () => this.#enter(entry, 'STALE'))
    }
  }

  #later(entry: Entry, ms: number, work: () => void): void {
    const { epoch } = entry
    this.#world.after(ms, () => { if (entry.epoch === epoch) work() })
  }

  #receive(frame: Uint8Array): void {
    const view = this.#view
    if (view.decode(frame, 0, frame.length, 14, false) !== undefined) return
    const to = formatMac(view.destinationMac)
    if (to !== this.mac && !to.startsWith('33:33')) return
    const target = view.target().toString()
    const mine = this.addresses.get(target)
    if (view.type === NEIGHBOR_SOLICITATION) {
      const source = view.source().toString()
      const from = formatMac(view.sourceMac)
      if (mine === 'tentative' && source === '::') this.addresses.set(target, 'duplicate')
      if (mine !== 'valid') return
      if (source === '::') return this.#port.send(na({ target, from: this.mac, flags: 'O' }))
      if (view.slla >= 0) this.#heard(source, formatMac(view.slla))
      const isUnicast = view.unicastToTarget
      this.#port.send(na({ target, from: this.mac, to: source, toMac: from, flags: isUnicast ? 'S' : 'SO',
        ...(isUnicast ? { tlla: '' } : {}) }))
    } else {
      if (mine === 'tentative') this.addresses.set(target, 'duplicate')
      if (mine === undefined) this.#advertised(target, view)
    }
  }

  /** RFC 4861 7.2.3: the source of a solicitation. */
  #heard(source: string, mac: string): void {
    const entry = this.#cache.get(source)
    if (entry === undefined) this.#cache.set(source, { state: 'STALE', mac, probes: 0, epoch: 0 })
    else if (entry.mac !== mac || entry.state === 'INCOMPLETE' || entry.state === 'FAILED') {
      entry.mac = mac
      this.#enter(entry, 'STALE')
    }
  }

  /** RFC 4861 7.2.5. */
  #advertised(target: string, { tlla, sourceMac, solicited, override }: NdiscView): void {
    const entry = this.#cache.get(target)
    if (entry === undefined || entry.state === 'FAILED') return
    const mac = formatMac(tlla >= 0 ? tlla : sourceMac)
    if (entry.state === 'INCOMPLETE') {
      if (tlla < 0) return
      entry.mac = mac
      return this.#enter(entry, solicited ? 'REACHABLE' : 'STALE')
    }
    const differs = tlla >= 0 && mac !== entry.mac
    if (differs && !override) {
      if (entry.state === 'REACHABLE') this.#enter(entry, 'STALE')
      return
    }
    entry.mac = differs ? mac : entry.mac
    if (solicited) this.#enter(entry, 'REACHABLE')
    else if (differs) this.#enter(entry, 'STALE')
  }
}

