/** All entries of the neighbor cache, by target, by link, and by deadline. */
import type { Address } from '../address.ts'
import { hashAddress } from './hash.ts'
import { HostLists } from './host-lists.ts'
import { IdIndex } from './id-index.ts'
import { Neighbor } from './neighbor.ts'
import { IFINDEX, NeighborRows, TARGET } from './neighbor-rows.ts'
import type { ActiveRule } from './rules.ts'
import type { Instant, Random } from './types.ts'

export class NeighborTable {
  readonly #rows = new NeighborRows()
  readonly #seed: number
  readonly #byTarget: IdIndex
  /** Written by `Census`. */
  readonly hosts: HostLists

  constructor(random: Random) {
    const seed = this.#seed = Math.floor(random() * 2 ** 32) | 0
    const rows = this.#rows
    this.#byTarget = new IdIndex((id) => hashAddress(seed, rows.get(id, TARGET), rows.get(id, TARGET + 1),
      rows.get(id, TARGET + 2), rows.get(id, TARGET + 3)))
    this.hosts = new HostLists(rows, seed)
  }

  get size(): number { return this.#byTarget.size }

  get(w0: number, w1: number, w2: number, w3: number): Neighbor | undefined {
    const rows = this.#rows
    const index = this.#byTarget
    const { last } = index
    for (let i = hashAddress(this.#seed, w0, w1, w2, w3) & last; ; i = (i + 1) & last) {
      const id = index.at(i)
      if (id < 0) return undefined
      if (rows.isAt(id, w0, w1, w2, w3)) return new Neighbor(rows, id)
    }
  }

  /** INCOMPLETE, and never proved. There may be none for the target. */
  create({ w0, w1, w2, w3 }: Address, rule: ActiveRule): Neighbor {
    const rows = this.#rows
    const id = rows.add(rule)
    rows.set(id, TARGET, w0)
    rows.set(id, TARGET + 1, w1)
    rows.set(id, TARGET + 2, w2)
    rows.set(id, TARGET + 3, w3)
    this.#byTarget.add(id)
    const neighbor = new Neighbor(rows, id)
    neighbor.verified = Number.NEGATIVE_INFINITY as Instant
    return neighbor
  }

  /** It may not be in one of the `hosts`' lists any more. */
  delete(neighbor: Neighbor): void {
    this.#byTarget.remove(neighbor.id)
    this.#rows.remove(neighbor)
  }

  /** In no order. Meanwhile entries may come, which are seen or not, and go, which are not seen any more. */
  * values(): Generator<Neighbor> {
    const rows = this.#rows
    for (let id = 0; id < rows.height; id++) if (rows.isUsed(id)) yield new Neighbor(rows, id)
  }

  /** The same, of the owners on a link. */
  * on(ifindex: number): Generator<Neighbor> {
    const rows = this.#rows
    for (let id = 0; id < rows.height; id++) if (rows.get(id, IFINDEX) === ifindex && rows.isUsed(id)) yield new Neighbor(rows, id)
  }

  // --- deadlines ---

  /** The earliest deadline. */
  get deadline(): Instant | undefined { return this.#rows.deadlines.next }
  setDeadline({ id }: Neighbor, deadline: Instant): void { this.#rows.deadlines.set(id, deadline) }
  clearDeadline({ id }: Neighbor): void { this.#rows.deadlines.remove(id) }

  /** The first one whose deadline has come, which has none then. */
  due(now: Instant): Neighbor | undefined {
    const id = this.#rows.deadlines.due(now)
    return id < 0 ? undefined : new Neighbor(this.#rows, id)
  }
}
