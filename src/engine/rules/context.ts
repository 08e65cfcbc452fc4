/** What all parts of the engine share. There is one such object, so every part uses the rules that are in force. */
import type { Config } from '../../config/config.ts'
import { Links } from '../links/links.ts'
import type { Effects, Random } from '../types.ts'
import { Rules } from './rules.ts'

export class Context {
  readonly links: Links
  /** Replaced when the configuration changes. */
  rules: Rules
  readonly random: Random
  /** Filled during a step. */
  readonly effects: Effects

  constructor(config: Config, random: Random, effects: Effects) {
    this.links = new Links(random)
    this.rules = new Rules(config, random)
    this.random = random
    this.effects = effects
  }
}

/** Base class of the engine's parts. `parts` holds all parts of the engine; its type has the parts that the subclass uses. */
export class Part<Parts> {
  protected readonly parts: Parts

  constructor(parts: Parts) { this.parts = parts }
}
