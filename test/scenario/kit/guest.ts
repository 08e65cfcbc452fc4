/** A host that configures itself from Router Advertisements as Linux does: RFC 4861 6.3, RFC 4862 5.5.3, RFC 7559. */
import { addressOf, type Frame, rsFrame, textOf } from './frame.ts'
import { Host } from './host.ts'
import { readAdvertisement, type ReadPrefix } from '../../kit/read-advertisement.ts'
import type { Segment, World } from './world.ts'

/** The first solicitation leaves after DAD of the link-local address, which takes one to two seconds. Milliseconds. */
const DAD_TIME = 1000
const FIRST_INTERVAL = 4000, LONGEST_INTERVAL = 3_600_000
const TWO_HOURS = 7_200_000

/** An address made of a prefix; times are ends of lifetimes. */
interface Autoconfigured {
  readonly address: string
  preferred: number
  valid: number
}

export class Guest extends Host {
  /** When the guest came up. */
  readonly since: number
  readonly #world: World
  readonly #id: string
  readonly #isAnonymous: boolean
  /** By prefix. */
  readonly #autoconfigured = new Map<string, Autoconfigured>()
  /** Ends of the lifetimes of default routers, by link-local address. */
  readonly #routers = new Map<string, number>()
  #isAnswered = false

  /** @param isAnonymous it solicits from `::`, without an address */
  constructor(segment: Segment, n: number, isAnonymous = false) {
    super(segment, n)
    this.#world = segment.world
    this.since = this.#world.now
    this.#id = `ff:fe00:${n.toString(16)}`
    this.#isAnonymous = isAnonymous
    this.#world.after(DAD_TIME * (1 + this.#world.random()), () => this.#solicitRouters(FIRST_INTERVAL))
  }

  get hasRoute(): boolean { return [...this.#routers.values()].some((end) => end > this.#world.now) }

  /** Prefixes of usable addresses that are preferred. */
  get preferred(): string[] {
    return [...this.#autoconfigured].filter(([, { address, preferred }]) => preferred > this.#world.now && this.addresses.get(address) === 'valid')
      .map(([prefix]) => prefix).sort()
  }

  override receive(frame: Frame): void {
    super.receive(frame)
    const { kind, source } = frame.content
    if (kind !== 'RA' || !this.accepts(frame.to) || !source.startsWith('fe80:')) return
    const { lifetime, prefixes } = readAdvertisement(frame.bytes)
    this.#isAnswered = true
    if (lifetime > 0) this.#routers.set(source, this.#world.now + 1000 * lifetime)
    else this.#routers.delete(source)
    for (const prefix of prefixes) this.#configure(prefix)
  }

  /** Solicits until an advertisement arrives, at growing intervals (RFC 4861 6.3.7, RFC 7559 2). */
  #solicitRouters(interval: number): void {
    if (this.#isAnswered) return
    this.send(rsFrame(this.mac, this.#isAnonymous ? '::' : this.linkLocal))
    this.#world.after(interval * (0.9 + 0.2 * this.#world.random()), () => this.#solicitRouters(Math.min(2 * interval, LONGEST_INTERVAL)))
  }

  /** RFC 4862 5.5.3. */
  #configure({ prefix, length, isAutonomous, valid, preferred }: ReadPrefix): void {
    if (!isAutonomous || length !== 64 || preferred > valid) return
    const { now } = this.#world
    const known = this.#autoconfigured.get(prefix)
    if (known === undefined) {
      if (valid === 0) return
      const made = { address: textOf(addressOf(prefix + this.#id)), valid: now + 1000 * valid, preferred: now + 1000 * preferred }
      this.#autoconfigured.set(prefix, made)
      this.claim(made.address)
      return this.#expire(prefix, made)
    }
    known.preferred = now + 1000 * preferred
    if (1000 * valid > TWO_HOURS || now + 1000 * valid > known.valid) known.valid = now + 1000 * valid
    else if (known.valid - now > TWO_HOURS) known.valid = now + TWO_HOURS
    this.#expire(prefix, known)
  }

  #expire(prefix: string, known: Autoconfigured): void {
    this.#world.after(known.valid - this.#world.now, () => {
      if (this.#autoconfigured.get(prefix) !== known || known.valid > this.#world.now) return
      this.#autoconfigured.delete(prefix)
      this.release(known.address)
    })
  }
}
