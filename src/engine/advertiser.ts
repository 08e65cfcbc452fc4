/** Neighbor Advertisements with the flags and addresses that the settings ask for (RFC 4861 4.4, 7.2.4, 7.2.6, 7.2.8). */
import { Address } from '../address.ts'
import type { Mac } from '../address.ts'
import type { Settings } from '../config/config.ts'
import { multicastMac } from '../wire/frame.ts'
import type { Links } from './links.ts'
import type { Advertisement, Link, Sink } from './types.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class Advertiser {
  readonly #links: Links
  readonly #sink: Pick<Sink, 'advertise'>
  /** The one advertisement object, filled for each message. */
  readonly #message: Mutable<Advertisement> = {
    ifindex: 0, source: Address.unspecified, d0: 0, d1: 0, d2: 0, d3: 0, t0: 0, t1: 0, t2: 0, t3: 0, to: 0 as Mac,
    router: false, solicited: false, override: false,
  }

  constructor(links: Links, sink: Pick<Sink, 'advertise'>) {
    this.#links = links
    this.#sink = sink
  }

  /** Answers asker `d` about target `t`: S=1; for DAD, which `::` asks, S=0 to all nodes. False: the link has no usable source. */
  answer(link: Link, settings: Settings, t0: number, t1: number, t2: number, t3: number,
    d0: number, d1: number, d2: number, d3: number, to: Mac): boolean {
    const message = this.#message
    message.t0 = t0
    message.t1 = t1
    message.t2 = t2
    message.t3 = t3
    message.solicited = (d0 | d1 | d2 | d3) !== 0
    // A real owner on the asker's link always wins.
    message.override = settings.override === 'always'
    if (!message.solicited) return this.#toGroup(link, settings, Address.allNodes)
    message.d0 = d0
    message.d1 = d1
    message.d2 = d2
    message.d3 = d3
    message.to = to
    return this.#send(link, settings)
  }

  /** Tells a group, unasked. False: the link has no usable source. */
  announce(link: Link, settings: Settings, { w0, w1, w2, w3 }: Address, group: Address, override: boolean): boolean {
    const message = this.#message
    message.t0 = w0
    message.t1 = w1
    message.t2 = w2
    message.t3 = w3
    message.solicited = false
    message.override = override
    return this.#toGroup(link, settings, group)
  }

  #toGroup(link: Link, settings: Settings, group: Address): boolean {
    const message = this.#message
    message.d0 = group.w0
    message.d1 = group.w1
    message.d2 = group.w2
    message.d3 = group.w3
    message.to = multicastMac(group.w3)
    return this.#send(link, settings)
  }

  #send(link: Link, { source: choice, router }: Settings): boolean {
    const message = this.#message
    const { t0, t1, t2, t3 } = message
    const source = this.#links.source(link, choice, choice === 'target' ? new Address(t0, t1, t2, t3) : undefined)
    if (source === undefined) return false
    message.ifindex = link.ifindex
    message.source = source
    message.router = router
    this.#sink.advertise(message)
    return true
  }
}
