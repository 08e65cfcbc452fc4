/** The on-link prefixes of upstreams, for `subnet auto`. */
import type { Prefix } from '../../address.ts'
import type { Limit } from '../../events.ts'

/** The most prefixes of one upstream. Any host there can advertise prefixes (RFC 4861 6.3.4). */
export const PREFIX_LIMIT = 64

export class UpstreamPrefixes {
  readonly #prefixes = new Map<string, readonly Prefix[]>()

  get limits(): Limit[] {
    const used = [...this.#prefixes.values()].reduce((most, { length }) => Math.max(most, length), 0)
    return [{ name: 'prefixes of one upstream, at most', used, size: PREFIX_LIMIT }]
  }

  /** The prefixes by the name of the upstream. */
  get byName(): ReadonlyMap<string, readonly Prefix[]> { return this.#prefixes }

  /** Removes the prefixes of an upstream. @returns whether a list was stored for the upstream, even an empty one */
  delete(upstream: string): boolean { return this.#prefixes.delete(upstream) }

  /** Replaces the prefixes of an upstream. Beyond the limit, former prefixes take precedence over new ones. @returns whether any changed */
  replace(upstream: string, prefixes: readonly Prefix[]): boolean {
    const before = this.#prefixes.get(upstream) ?? []
    if (prefixes.length > PREFIX_LIMIT) {
      const isOld = (prefix: Prefix): boolean => before.some((old) => old.equals(prefix))
      prefixes = [...prefixes.filter(isOld), ...prefixes.filter((prefix) => !isOld(prefix))].slice(0, PREFIX_LIMIT)
    }
    if (String(prefixes) === String(before)) return false
    this.#prefixes.set(upstream, prefixes)
    return true
  }
}
