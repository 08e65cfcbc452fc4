/** Discovers the hosts of a link by echo requests to all nodes (RFC 4443 4.1), in several rounds: hosts and switch ports may be ready late. */
import { Address } from '../../address.ts'
import type { AdvertisementBuilder } from '../effects/advertisement-builder.ts'
import { echoSource } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import type { Timed } from '../tables/deadlines.ts'
import type { Instant } from '../../engine-types.ts'

/** Milliseconds from the start of a discovery to each round. The last round is for bridges with STP, whose new ports block for 30 s. */
const ROUNDS = [0, 700, 2500, 10_000, 40_000]
/** Milliseconds from a host's Router Solicitation to each round: the host has addresses only after DAD. */
const EXPECTED = [1000, 4000]

/** A further round that is less than this many milliseconds before or after a planned one is left out. */
const NEAR = 500

interface Run extends Timed {
  readonly ifindex: number
  /** Times of the next rounds, sorted. */
  times: readonly number[]
}

type DiscoveryParts = Context & { readonly advertiser: AdvertisementBuilder }

export class EchoDiscovery extends TimedPart<DiscoveryParts, Run> {
  start(ifindex: number, now: Instant): void { this.#plan(ifindex, ROUNDS.map((delay) => now + delay)) }

  /** Plans further rounds for a new host, which will have addresses soon. */
  expect(ifindex: number, now: Instant): void {
    const planned = this.records.get(ifindex)?.times ?? []
    const more = EXPECTED.map((delay) => now + delay).filter((at) => !planned.some((time) => Math.abs(time - at) < NEAR))
    if (more.length > 0) this.#plan(ifindex, [...planned, ...more].sort((a, b) => a - b))
  }

  #plan(ifindex: number, times: readonly number[]): void {
    if (this.parts.rules.learning(ifindex).length === 0) return
    const run = this.records.get(ifindex) ?? { ifindex, times, deadline: 0 as Instant, place: -1 }
    run.times = times
    this.records.set(ifindex, run)
    this.deadlines.set(run, times[0] as Instant)
  }

  protected override due(run: Run, now: Instant): void {
    const { rules, links, effects, advertiser } = this.parts
    const { ifindex } = run
    run.times = run.times.slice(1)
    if (run.times.length === 0) this.records.delete(ifindex)
    else this.deadlines.set(run, Math.max(now, run.times[0]) as Instant)
    const link = links.get(ifindex)
    const [rule] = rules.learning(ifindex)
    if (link === undefined || !link.up || rule === undefined) return
    const source = echoSource(links, link, (address) => rules.isLearnedOn(ifindex, address))
    if (source === undefined) return
    effects.discoveries.push({ ifindex, sources: [source] })
    const { w0, w1, w2, w3 } = source
    if (rules.excluded(w0, w1, w2, w3) || rules.match(ifindex, w0, w1, w2, w3).length === 0) return
    // Before a host replies, it solicits the source of the request by multicast. Solicitations of many hosts overrun a bridge with many
    // ports. So an advertisement follows the request at once. It answers all hosts that have begun to solicit when it arrives (RFC 4861
    // 7.2.5).
    advertiser.announce(link, rule.settings, source, Address.allNodes, false)
  }
}
