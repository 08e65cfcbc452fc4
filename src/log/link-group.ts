/** A group of links with the same problem: links that are added within seconds share one record, which counts them. */

/** Milliseconds without a further link after which the links are logged. */
const PAUSE = 2000
/** The most times to wait for PAUSE. Then the links are logged even if further links still come. */
const PAUSES = 5
/** Time between two records of one group, milliseconds. It is long, because a shortage of descriptors affects ever new links. */
const INTERVAL = 60_000

/** Calls `callback` after `ms`, unless the process ends before. */
export type Later = (callback: () => void, ms: number) => void

export class LinkGroup {
  readonly #log: (links: readonly string[]) => void
  readonly #later: Later
  /** Names of the links, and whether they were logged. */
  readonly #links = new Map<string, boolean>()
  #isWaiting = false
  #wasLogged = false

  /** @param log the function to call with the names of all links of the group. At least one of these links is new */
  constructor(log: (links: readonly string[]) => void, later: Later) {
    this.#log = log
    this.#later = later
  }

  /** Adds a link; a link that the group has already is not logged again. */
  add(iface: string): void {
    if (this.#links.has(iface)) return
    if (this.#links.size === 0) this.#wasLogged = false
    this.#links.set(iface, false)
    if (!this.#isWaiting) this.#wait(PAUSES)
  }

  /** @returns whether the link was in the group, and logged */
  delete(iface: string): boolean {
    const isLogged = this.#links.get(iface) === true
    this.#links.delete(iface)
    return isLogged
  }

  #wait(pauses: number): void {
    const { size } = this.#links
    this.#isWaiting = true
    this.#later(() => {
      if (!this.#wasLogged && this.#links.size > size && pauses > 1) return this.#wait(pauses - 1)
      this.#isWaiting = false
      const names = [...this.#links.keys()]
      if (![...this.#links.values()].includes(false)) return
      for (const iface of names) this.#links.set(iface, true)
      this.#wasLogged = true
      this.#log(names)
    }, this.#wasLogged ? INTERVAL : PAUSE)
  }
}

/** @returns the name of a single link; else the number of links, and the first names */
export function linkNames(links: readonly string[]): string {
  if (links.length === 1) return links[0]
  return `${links.length} links (${links.slice(0, 3).join(', ')}${links.length > 3 ? ', ...' : ''})`
}
