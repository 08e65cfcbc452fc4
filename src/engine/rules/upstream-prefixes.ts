/** The on-link prefixes of upstreams, for `subnet auto`. */
import type { Prefix } from '../../address.ts'
import type { Link } from '../../engine-types.ts'
import type { Event, Limit } from '../../events.ts'

/** The most prefixes of one upstream. Any host there can advertise prefixes (RFC 4861 6.3.4). */
const PREFIX_LIMIT = 64

export class UpstreamPrefixes {
  /** By the name of the upstream. */
  readonly #prefixes = new Map<string, readonly Prefix[]>()

  get limits(): Limit[] {
    const used = [...this.#prefixes.values()].reduce((most, { length }) => Math.max(most, length), 0)
    return [{ name: 'prefixes of one upstream, at most', used, size: PREFIX_LIMIT }]
  }

  /** The prefixes by the name of the upstream. */
  get byName(): ReadonlyMap<string, readonly Prefix[]> { return this.#prefixes }

  /** Removes the prefixes of an upstream. @returns whether a list was stored for the upstream, even an empty one */
  delete(upstream: string): boolean { return this.#prefixes.delete(upstream) }

  /**
   * Replaces the prefixes of an upstream. Beyond the limit, former prefixes take precedence over new ones, and an event is emitted.
   * @returns whether any prefix changed
   */
  replace({ name, ifindex }: Pick<Link, 'name' | 'ifindex'>, prefixes: readonly Prefix[], events: Event[]): boolean {
    const before = this.#prefixes.get(name) ?? []
    if (prefixes.length > PREFIX_LIMIT) {
      events.push({ kind: 'limit', limit: 'prefixes', size: PREFIX_LIMIT, ifindex })
      const isOld = (prefix: Prefix): boolean => before.some((old) => old.equals(prefix))
      prefixes = [...prefixes.filter(isOld), ...prefixes.filter((prefix) => !isOld(prefix))].slice(0, PREFIX_LIMIT)
    }
    if (String(prefixes) === String(before)) return false
    this.#prefixes.set(name, prefixes)
    return true
  }
}
