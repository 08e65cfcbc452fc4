/** Creates the effects of an engine, and clears them before each step: all steps share one object. */
import { Address, type Mac } from '../../address.ts'
import { Pool } from '../tables/pool.ts'
import type { Advertisement, Effects, PacketOutcome } from '../../engine-types.ts'

export function createEffects(): Effects {
  return {
    listening: new Map(), filters: undefined, routes: [], repairs: [], probes: [], multicasts: [], routerAdvertisements: [], discoveries: [], lookups: [], paths: [],
    events: [],
    answers: new Pool<Advertisement>(() => ({ ifindex: 0, source: Address.unspecified, d0: 0, d1: 0, d2: 0, d3: 0,
      t0: 0, t1: 0, t2: 0, t3: 0, to: 0 as Mac, router: false, solicited: false, override: false })),
    // The initial `mac` is too large for V8's small integers, so V8 chooses at once the representation that real addresses need.
    outcomes: new Pool<PacketOutcome>(() => ({ outcome: 'answered', ifindex: 0, type: 0, t0: 0, t1: 0, t2: 0, t3: 0, s0: 0, s1: 0, s2: 0, s3: 0,
      mac: 2 ** 40 as Mac, isUnicast: false })),
  }
}

export function clearEffects(effects: Effects): void {
  if (effects.listening.size > 0) effects.listening.clear()
  effects.filters = undefined
  effects.answers.clear()
  effects.outcomes.clear()
  const { routes, repairs, probes, multicasts, routerAdvertisements, discoveries, lookups, paths, events } = effects
  for (const list of [routes, repairs, probes, multicasts, routerAdvertisements, discoveries, lookups, paths, events]) list.length = 0
}
