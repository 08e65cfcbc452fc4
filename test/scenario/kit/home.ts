/**
 * A network whose guests configure themselves: `subnet auto` behind an upstream that grants prefixes, and Router Advertisements inside.
 * Throws as soon as an advertisement says or does what it may not (RFC 4861 6.2, RFC 9096 3.5).
 */
import { MAX_RA_DELAY_TIME, MIN_DELAY_BETWEEN_RAS } from '../../../src/wire/constants.ts'
import { readAdvertisement } from '../../kit/read-advertisement.ts'
import type { Frame } from './frame.ts'
import { Guest } from './guest.ts'
import { ProxyHost } from './proxy-host.ts'
import type { Ends } from './routing.ts'
import { Segment, type World } from './world.ts'

const ETH0 = 2, ETH1 = 3
const CONFIG = `subnet auto {
  upstream eth0
  downstream eth1
  router-advertisements yes
}`
/** The proxy may add this to the least time between two multicasts. Milliseconds. */
const MARGIN = 50
/** A clock in doubles. */
const EPSILON = 0.01

export interface Lifetimes {
  /** Seconds. */
  readonly valid: number
  readonly preferred: number
  /** Seconds between two advertisements of the upstream. */
  readonly refresh: number
}

export class Home {
  readonly proxy: ProxyHost
  readonly guests: Guest[] = []
  /** All advertisements so far. */
  sent = 0
  readonly #world: World
  readonly #inside: Segment
  readonly #lifetimes: Lifetimes
  #ends = new Map<string, Ends>()
  /** The prefix that the upstream advertises at present. */
  #living = ''
  #count = 0
  #lastMulticast = -Infinity
  /** Solicitations without an answer so far: source and latest time. */
  #unanswered: { readonly source: string; readonly until: number }[] = []

  constructor(world: World, lifetimes: Lifetimes) {
    this.#world = world
    this.#lifetimes = lifetimes
    const outside = new Segment(world)
    this.#inside = new Segment(world)
    this.proxy = new ProxyHost(world, CONFIG)
    this.proxy.attach(ETH0, 'eth0', outside)
    const mac = this.proxy.attach(ETH1, 'eth1', this.#inside)
    this.proxy.routing.change({})
    this.#inside.onFrame = (frame) => { if (frame.content.kind === 'RA' && frame.content.from === mac) this.#advertised(frame) }
    this.proxy.routing.onSolicitation = (source) => this.#solicited(source)
    this.renumber()
    world.after(1000 * lifetimes.refresh, () => this.#refresh())
  }

  addGuest(n: number): Guest {
    const guest = new Guest(this.#inside, n, n % 3 === 0)
    this.guests.push(guest)
    return guest
  }

  /** The upstream advertises another prefix. @param isAbrupt the old one goes at once, else it is deprecated */
  renumber(isAbrupt = true): void {
    if (isAbrupt) this.#ends.clear()
    const { now } = this.#world
    for (const [prefix, { valid }] of this.#ends) this.#ends.set(prefix, { valid: Math.min(valid, now + 7_200_000), preferred: now })
    this.#living = `2001:db8:0:${(++this.#count).toString(16)}::`
    this.#grant()
  }

  /** The daemon ends, and starts again. @param meanwhile while it is down */
  restart(ms: number, isKilled: boolean, meanwhile?: () => void): void {
    this.#unanswered = []
    this.#lastMulticast = -Infinity
    this.proxy.restart(ms, { isKilled })
    if (meanwhile !== undefined) this.#world.after(ms / 2, meanwhile)
  }

  /** @returns what a guest lacks, or has too much of */
  faultsOf(guest: Guest): string[] {
    const { isRouted } = this.proxy.routing
    return [...guest.preferred.join() === this.#living ? [] : [`addresses in ${guest.preferred.join() || 'none'} instead of ${this.#living}`],
      ...guest.hasRoute === isRouted ? [] : [`${guest.hasRoute ? 'a' : 'no'} default route`]]
  }

  /** @throws Error unless all guests are as they should be */
  check(): void {
    for (const guest of this.guests) {
      const faults = this.faultsOf(guest)
      if (faults.length > 0) throw new Error(`${guest.mac} has ${faults.join(', ')}`)
    }
  }

  #grant(): void {
    const { valid, preferred } = this.#lifetimes
    const { now } = this.#world
    for (const [prefix, ends] of this.#ends) if (ends.valid <= now) this.#ends.delete(prefix)
    this.#ends.set(this.#living, { valid: now + 1000 * valid, preferred: now + 1000 * preferred })
    this.proxy.routing.grant(ETH0, new Map(this.#ends))
  }

  /** The upstream's advertisements are lost as others are. */
  #refresh(): void {
    if (this.#world.random() >= this.#world.weather.loss) this.#grant()
    this.#world.after(1000 * this.#lifetimes.refresh, () => this.#refresh())
  }

  #solicited(source: string): void {
    const { now } = this.#world
    const until = source === '::' ? Math.max(now + MAX_RA_DELAY_TIME, this.#lastMulticast + MIN_DELAY_BETWEEN_RAS + MARGIN) : now + MAX_RA_DELAY_TIME
    const solicitation = { source, until: until + EPSILON }
    this.#unanswered.push(solicitation)
    this.#world.after(until + 2 * EPSILON - now, () => {
      if (this.#unanswered.includes(solicitation)) throw new Error(`the solicitation of ${source} at ${now} ms is not answered`)
    })
  }

  #advertised({ bytes, content: { destination } }: Frame): void {
    this.sent++
    const { now } = this.#world
    const isMulticast = destination === 'ff02::1'
    if (isMulticast && now - this.#lastMulticast < MIN_DELAY_BETWEEN_RAS - EPSILON) {
      throw new Error(`two advertisements to all nodes, ${now - this.#lastMulticast} ms apart`)
    }
    if (isMulticast) this.#lastMulticast = now
    this.#unanswered = this.#unanswered.filter(({ source }) => !isMulticast && source !== destination)
    const { lifetime, prefixes } = readAdvertisement(bytes)
    if (lifetime > 0 !== this.proxy.routing.isRouted) throw new Error(`a router lifetime of ${lifetime} s`)
    for (const { prefix, valid, preferred, isOnLink, isAutonomous } of prefixes) {
      const ends = this.#ends.get(prefix)
      const isGranted = ends === undefined || ends.valid <= now ? preferred === 0 && valid <= 7200
        : now + 1000 * valid <= ends.valid + EPSILON && (preferred === 0 || now + 1000 * preferred <= ends.preferred + EPSILON)
      if (!isGranted) throw new Error(`${prefix} has lifetimes of ${valid} and ${preferred} s`)
      if (isOnLink || !isAutonomous) throw new Error(`${prefix} has wrong flags`)
    }
  }
}
