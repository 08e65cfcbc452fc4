/** Discovers the hosts of a link by echo requests to all nodes (RFC 4443 4.1), in rounds, because hosts and switch ports may be late. */
import { Address } from '../../address.ts'
import type { AdvertisementBuilder } from '../effects/advertisement-builder.ts'
import { echoSource } from '../links/source-address.ts'
import { type Context, TimedPart } from '../rules/context.ts'
import type { Timed } from '../tables/deadlines.ts'
import type { Instant } from '../types.ts'

/** Milliseconds from the start to each round. The last one is for a bridge with STP, whose new ports forward nothing for 30 s. */
const ROUNDS = [0, 700, 2500, 10_000, 40_000]

interface Run extends Timed {
  readonly ifindex: number
  readonly began: Instant
  round: number
}

type DiscoveryParts = Context & { readonly advertiser: AdvertisementBuilder }

export class HostDiscovery extends TimedPart<DiscoveryParts, Run> {
  start(ifindex: number, now: Instant): void {
    if (this.parts.rules.learning(ifindex).length === 0) return
    this.deadlines.remove(this.records.get(ifindex))
    const run = { ifindex, began: now, round: 0, deadline: now, place: -1 }
    this.records.set(ifindex, run)
    this.deadlines.set(run, now)
  }

  protected override due(run: Run, now: Instant): void {
    const { rules, links, effects, advertiser } = this.parts
    const { ifindex, began } = run
    const next = ROUNDS[++run.round]
    if (next === undefined) this.records.delete(ifindex)
    else this.deadlines.set(run, Math.max(now, began + next) as Instant)
    const link = links.get(ifindex)
    const [rule] = rules.learning(ifindex)
    if (link === undefined || !link.up || rule === undefined) return
    const source = echoSource(links, link, (address) => rules.isLearnedOn(ifindex, address))
    if (source === undefined) return
    effects.discoveries.push({ ifindex, sources: [source] })
    const { w0, w1, w2, w3 } = source
    if (rules.excluded(w0, w1, w2, w3) || rules.match(ifindex, w0, w1, w2, w3).length === 0) return
    // Every host solicits for the source by multicast before it answers, which is too much for a bridge with many ports. This
    // advertisement answers the hosts that have solicited (RFC 4861 7.2.5).
    advertiser.announce(link, rule.settings, source, Address.allNodes, false)
  }
}
