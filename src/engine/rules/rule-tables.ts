/** The list of all rules, and tables that find the rules of a link by address. */
import type { Prefix } from '../../address.ts'
import { fits } from '../links/link-sets.ts'
import { PrefixTable } from '../tables/prefix-table.ts'
import type { Random } from '../../engine-types.ts'
import type { ActiveRule } from './rule.ts'

/**
 * Numbered rules: the rules of `proxy` blocks in file order, then the rules of subnets. A change of prefixes replaces only the rules of
 * subnets.
 */
export class RuleList {
  readonly prefixes: Prefix[] = []
  readonly rules: ActiveRule[] = []

  get size(): number { return this.rules.length }

  add(prefix: Prefix, rule: ActiveRule): number {
    this.prefixes.push(prefix)
    return this.rules.push(rule) - 1
  }

  truncate(size: number): void { this.prefixes.length = this.rules.length = size }
}

export type RuleTable = PrefixTable<number>

export class RuleTables {
  readonly #list: RuleList
  readonly #random: Random
  readonly #byName = new Map<string, RuleTable>()
  readonly #found: number[] = []

  constructor(list: RuleList, random: Random) {
    this.#list = list
    this.#random = random
  }

  /** Adds a rule to the tables of these interface names. A table that has an equal rule for the same prefix stays as it is. */
  add(names: readonly string[], number: number): void {
    const { rules, prefixes } = this.#list
    const rule = rules[number]
    const { address, address: { w0, w1, w2, w3 } } = prefixes[number]
    for (const name of names) {
      let table = this.#byName.get(name)
      if (table === undefined) this.#byName.set(name, table = new PrefixTable(this.#random))
      const count = table.collect(w0, w1, w2, w3, this.#found)
      // Rules that share an object have the same prefix length. So if they are found for the same address, they have the same prefix.
      if (!this.#found.slice(0, count).some((other) => rules[other] === rule)) table.add(address, rule.length, number)
    }
  }

  of(name: string): RuleTable[] { return [...this.#byName].filter(([pattern]) => fits(pattern, name)).map(([, table]) => table) }
}

/** Rules by the links that they listen on, and by the links where their hosts may be. */
export type RuleIndex = Readonly<Record<'listening' | 'owning', RuleTables>>

export function createRuleIndex(list: RuleList, random: Random): RuleIndex {
  return { listening: new RuleTables(list, random), owning: new RuleTables(list, random) }
}
