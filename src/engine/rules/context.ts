/** The state that all parts of the engine share. Each part reads `rules` from the same object, so a new configuration holds for all parts. */
import type { Config } from '../../config/config.ts'
import { Links } from '../links/links.ts'
import { Deadlines, type Timed } from '../tables/deadlines.ts'
import type { Effects, Instant, Random } from '../../engine-types.ts'
import { Rules } from './rules.ts'

export class Context {
  readonly links: Links
  /** Replaced when the configuration changes. */
  rules: Rules
  readonly random: Random
  readonly effects: Effects

  constructor(config: Config, random: Random, effects: Effects) {
    this.links = new Links(random)
    this.rules = new Rules(config, random)
    this.random = random
    this.effects = effects
  }
}

/** Base class of the engine's parts. `parts` holds all parts of the engine; its type lists only those that the subclass uses. */
export class Part<Parts> {
  protected readonly parts: Parts

  constructor(parts: Parts) { this.parts = parts }
}

/** Base class of parts that keep records of links, at most one for each link. A record may have a deadline. */
export abstract class TimedPart<Parts, Record extends Timed> extends Part<Parts> {
  protected readonly records = new Map<number, Record>()
  protected readonly deadlines = new Deadlines<Record>()

  get deadline(): Instant | undefined { return this.deadlines.next }

  wake(now: Instant): void {
    for (let due = this.deadlines.due(now); due !== undefined; due = this.deadlines.due(now)) this.due(due, now)
  }

  gone(ifindex: number): void {
    this.deadlines.remove(this.records.get(ifindex))
    this.records.delete(ifindex)
  }

  /** Handles a record whose deadline has come. The record is no longer in `deadlines` then: this method sets a further deadline, if any. */
  protected abstract due(record: Record, now: Instant): void
}
