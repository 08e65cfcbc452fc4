/** Lists of interface names and patterns, and the present links that match them. */
import { matchesIface } from '../../config/config.ts'
import type { Link } from '../../engine-types.ts'

/** The present links that match a list of interface names and patterns. Equal lists share one object. */
export interface LinkSet {
  readonly names: readonly string[]
  readonly ifindexes: readonly number[]
}

export class LinkSets {
  readonly #sets = new Map<string, LinkSet & { readonly ifindexes: number[] }>()
  readonly #present = new Map<number, string>()

  get names(): string[] { return [...this.#sets.values()].flatMap(({ names }) => names) }

  of(names: readonly string[]): LinkSet {
    const key = names.join(' ')
    let set = this.#sets.get(key)
    if (set === undefined) {
      const ifindexes = [...this.#present].filter(([, name]) => fitsAny(names, name)).map(([ifindex]) => ifindex)
      this.#sets.set(key, set = { names, ifindexes })
    }
    return set
  }

  has(name: string): boolean { return [...this.#sets.values()].some(({ names }) => fitsAny(names, name)) }

  link({ ifindex, name }: Link): void {
    this.gone(ifindex)
    this.#present.set(ifindex, name)
    for (const { names, ifindexes } of this.#sets.values()) if (fitsAny(names, name)) ifindexes.push(ifindex)
  }

  gone(ifindex: number): void {
    if (!this.#present.delete(ifindex)) return
    for (const { ifindexes } of this.#sets.values()) {
      const at = ifindexes.indexOf(ifindex)
      if (at >= 0) ifindexes.splice(at, 1)
    }
  }
}

/** @returns whether a link's name matches a pattern. Loopback has no neighbors, so no pattern matches it */
export function fits(pattern: string, name: string): boolean { return name !== 'lo' && matchesIface(pattern, name) }

export function fitsAny(patterns: Iterable<string>, name: string): boolean {
  for (const pattern of patterns) if (fits(pattern, name)) return true
  return false
}
