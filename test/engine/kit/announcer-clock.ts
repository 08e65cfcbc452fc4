/** An announcer with a clock that the test winds, and a record of its messages. */
import type { Address } from '../../../src/address.ts'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import type { Settings } from '../../../src/config/config.ts'
import { BareLinks } from '../../../src/engine/cache/bare-links.ts'
import { AdvertisementBuilder } from '../../../src/engine/effects/advertisement-builder.ts'
import { Announcer } from '../../../src/engine/effects/announcer.ts'
import { Links } from '../../../src/engine/links/links.ts'
import { Rules } from '../../../src/engine/rules/rules.ts'
import type { Instant, Link } from '../../../src/engine-types.ts'
import { chance, configOf, ETH0, linkOf } from './basics.ts'
import { PartsRecorder } from './recorder.ts'

export const YES: Settings = { ...DEFAULTS, announce: 'yes' }
export const SOLICIT: Settings = { ...DEFAULTS, announce: 'solicit' }

export class AnnouncerClock {
  now = 1000 as Instant
  readonly sent: { readonly at: number; readonly target: string; readonly line: string }[] = []
  readonly links = new Links(chance(1))
  readonly announcer: Announcer
  readonly #recorder = new PartsRecorder()

  constructor(links: readonly Link[] = [linkOf(ETH0)], seed = 7, config = '') {
    const { effects } = this.#recorder
    for (const link of links) this.links.set(link)
    const bareLinks = new BareLinks({ links: this.links, effects, reconfiguration: undefined as never })
    this.announcer = new Announcer({ links: this.links, effects, random: chance(seed), rules: new Rules(configOf(config), chance(1)),
      advertiser: new AdvertisementBuilder({ effects, bareLinks }) })
  }

  owner(target: Address, settings = YES, ifindexes: readonly number[] = [ETH0]): void {
    this.announcer.announce(target, settings, ifindexes, false, this.now)
  }

  wake(now = this.now): void {
    this.announcer.wake(now)
    for (const line of this.#recorder.take()) {
      const [, advertised, source] = /^(?:advertise \S+ (\S+)|confirm .* from (\S+))/.exec(line) ?? []
      this.sent.push({ at: now, target: advertised ?? source, line })
    }
  }

  /** Wakes the announcer at its deadlines, for `ms` from now. */
  wait(ms: number): void {
    const end = this.now + ms as Instant
    for (let at = this.announcer.deadline; at !== undefined && at <= end; at = this.announcer.deadline) {
      // A deadline that stays in the past would keep the daemon busy.
      if (at < this.now) throw new Error(`deadline ${at} at ${this.now}`)
      this.now = at
      this.wake()
    }
    this.now = end
  }

  /** @returns the messages since the last call, each after its time; of each line so many words */
  take(words?: number): string[] { return this.sent.splice(0).map(({ at, line }) => `${at} ${line}`.split(' ').slice(0, words).join(' ')) }

  /** @returns the events since the last wake */
  events(): string[] { return this.#recorder.take() }
}
