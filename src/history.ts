/** The last received solicitations with their outcomes, for `ndp6d explain`, in arrays of fixed size. */
import { Address, type Mac } from './address.ts'
import type { Instant, PacketOutcome } from './engine-types.ts'
import type { Event, Outcome } from './events.ts'
import { NEIGHBOR_SOLICITATION } from './wire/constants.ts'

/** Entries that each of the two rings keeps. A power of two. */
const SIZE = 2048
/** 32-bit integers of an entry: one for the ifindex, four for the target, four for the source. */
const WORDS = 9
/** Values of `how`: a multicast packet, a unicast packet, or (RELEASED) the later answer to a solicitor that waited. */
const MULTICAST = 0, UNICAST = 1, RELEASED = 2

export interface Solicitation {
  readonly at: Instant
  readonly ifindex: number
  readonly source: Address
  readonly mac: Mac
  readonly isUnicast: boolean
  /** The outcome of the packet; `answered` also if its solicitor had to wait and then got the answer. */
  readonly outcome: Outcome
  /** Milliseconds from the packet to a later answer. Undefined: the answer came at once, or never. */
  readonly waited: number | undefined
}

interface Entry extends Solicitation { readonly how: number }

/** Keeps the last SIZE entries. Arrays hold the fields of all entries, so adding an entry allocates nothing. */
class Ring {
  readonly #times = new Float64Array(SIZE)
  readonly #macs = new Float64Array(SIZE)
  readonly #words = new Int32Array(SIZE * WORDS)
  readonly #how = new Uint8Array(SIZE)
  readonly #outcomes = new Array<Outcome>(SIZE).fill('answered')
  #count = 0

  add(how: number, packet: Omit<PacketOutcome, 'type' | 'isUnicast'>, now: Instant): void {
    const at = this.#count++ & (SIZE - 1)
    const words = this.#words
    const first = at * WORDS
    this.#times[at] = now
    this.#macs[at] = packet.mac
    this.#how[at] = how
    this.#outcomes[at] = packet.outcome
    words[first] = packet.ifindex
    words[first + 1] = packet.t0
    words[first + 2] = packet.t1
    words[first + 3] = packet.t2
    words[first + 4] = packet.t3
    words[first + 5] = packet.s0
    words[first + 6] = packet.s1
    words[first + 7] = packet.s2
    words[first + 8] = packet.s3
  }

  /** @returns the entries for a target, oldest first */
  of({ w0, w1, w2, w3 }: Address): Entry[] {
    const found: Entry[] = []
    for (let number = Math.max(0, this.#count - SIZE); number < this.#count; number++) {
      const at = number & (SIZE - 1)
      const [ifindex, t0, t1, t2, t3, s0, s1, s2, s3] = this.#words.subarray(at * WORDS, (at + 1) * WORDS)
      if (t3 !== w3 || t2 !== w2 || t1 !== w1 || t0 !== w0) continue
      const how = this.#how[at]
      found.push({ at: this.#times[at] as Instant, ifindex, source: new Address(s0, s1, s2, s3), mac: this.#macs[at] as Mac, how,
        isUnicast: how === UNICAST, outcome: this.#outcomes[at], waited: undefined })
    }
    return found
  }
}

export class History {
  /** Solicitations that were answered at once. With two rings, a scan does not displace these entries, and these do not displace others. */
  readonly #answered = new Ring()
  readonly #others = new Ring()

  packet(packet: PacketOutcome, now: Instant): void {
    if (packet.type !== NEIGHBOR_SOLICITATION) return
    const ring = packet.outcome === 'answered' ? this.#answered : this.#others
    ring.add(packet.isUnicast ? UNICAST : MULTICAST, packet, now)
  }

  /** Registers the answer to a solicitor that waited. */
  answered({ target, ifindex, source, mac }: Extract<Event, { kind: 'answered' }>, now: Instant): void {
    this.#others.add(RELEASED, { outcome: 'answered', ifindex, mac, t0: target.w0, t1: target.w1, t2: target.w2, t3: target.w3,
      s0: source.w0, s1: source.w1, s2: source.w2, s3: source.w3 }, now)
  }

  /** @returns the last solicitations for a target, oldest first */
  of(target: Address, limit: number): Solicitation[] {
    const waiting = new Map<string, number[]>()
    const found: Solicitation[] = this.#answered.of(target)
    const others: Solicitation[] = []
    for (const entry of this.#others.of(target)) {
      const key = `${entry.ifindex} ${entry.source}`
      if (entry.how !== RELEASED) {
        waiting.set(key, [...waiting.get(key) ?? [], others.push(entry) - 1])
        continue
      }
      for (const index of waiting.get(key) ?? []) {
        const { outcome, at } = others[index]
        if (outcome === 'probing' || outcome === 'dad-unproven') others[index] = { ...others[index], outcome: 'answered', waited: entry.at - at }
      }
      waiting.delete(key)
    }
    return [...found, ...others].sort((a, b) => a.at - b.at).slice(-limit)
  }
}
