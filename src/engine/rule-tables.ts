/** Which rules hold an address, for a link that listens or may have its owner: tables by interface name and pattern. */
import { fits } from './link-sets.ts'
import { PrefixIndex } from './prefix-table.ts'
import type { PrefixList } from './prefix-table.ts'
import type { ActiveRule } from './rule.ts'
import type { Random } from './types.ts'

export type Table = PrefixIndex<ActiveRule>

/** Rules by the interface name or pattern that they are for. */
export class Tables {
  readonly #list: PrefixList<ActiveRule>
  readonly #random: Random
  readonly #byName = new Map<string, Table>()

  constructor(list: PrefixList<ActiveRule>, random: Random) {
    this.#list = list
    this.#random = random
  }

  add(names: readonly string[], id: number, length: number): void {
    for (const name of names) {
      let table = this.#byName.get(name)
      if (table === undefined) this.#byName.set(name, table = new PrefixIndex(this.#list, this.#random))
      table.add(id, length)
    }
  }

  /** The tables for a link of this name. */
  of(name: string): Table[] {
    return [...this.#byName].filter(([pattern]) => fits(pattern, name)).map(([, table]) => table)
  }
}
