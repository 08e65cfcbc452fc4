/**
 * Counts events, and the traffic of each interface name and pattern in the configuration. The totals never decrease: they keep the traffic
 * of links that are gone, and of sockets that were replaced.
 */
import { matchesIface } from './config/config.ts'
import type { ConflictBasis, Event, LimitName, Outcome } from './events.ts'
import { LIMIT_NAMES, SILENT_REASONS } from './events.ts'

/** Counters of a link's sockets. `advertisements` and `probes` count messages to be sent; `unsent` counts frames that were not sent. */
const OF_SOCKETS = ['received', 'drops', 'sent', 'unsent', 'advertisements', 'probes'] as const
/** Columns of traffic. `solicitations` counts the valid solicitations that were received. */
const TRAFFIC = [...OF_SOCKETS, 'solicitations'] as const
const SOLICITATIONS = OF_SOCKETS.length

/** The `word` of links that no name or pattern matches: only the route of an `auto` rule leads to them. */
const BY_ROUTE = 'auto'
const SOLICITATION_OUTCOMES: ReadonlySet<Outcome> = new Set(['answered', 'defended', 'probing', ...SILENT_REASONS])

/** Counters of a link. `isServing`: its sockets are open, and the link is up. */
export interface LinkFigures extends Readonly<Record<(typeof OF_SOCKETS)[number], number>> {
  readonly isServing: boolean
}

/** @returns the figures of a link; undefined: the link has no sockets */
type FiguresOf = (ifindex: number) => LinkFigures | undefined

/** The totals of one name or pattern of the configuration (`word`), and the links that it matches. */
export interface InterfaceTotals {
  readonly word: string
  readonly ifindexes: readonly number[]
  /** Number of links that are up and have open sockets. */
  readonly serving: number
  readonly traffic: Readonly<Record<(typeof TRAFFIC)[number], number>>
}

/** A link whose traffic is counted. */
interface Member {
  readonly name: string
  /** The name or pattern of the configuration that matches the link. */
  word: string
  /** The totals of `word`; the columns are those of TRAFFIC. */
  row: Float64Array
  /** The counters of the sockets when they were last added to the row. */
  readonly seen: Float64Array
}

export class Totals {
  readonly changes = { found: 0, moved: 0, lost: 0 }
  readonly conflicts: Record<ConflictBasis, number> = { answered: 0, pinned: 0, gateway: 0 }
  /** Changes of host routes that the kernel refused. */
  routeErrors = 0
  /** Refusals by limit. */
  readonly refusals = Object.fromEntries(LIMIT_NAMES.map((name) => [name, 0])) as Record<LimitName, number>
  readonly #figuresOf: FiguresOf
  #words: ReadonlySet<string> = new Set()
  #patterns: readonly string[] = []
  readonly #rows = new Map<string, Float64Array>()
  readonly #links = new Map<number, Member>()
  /** The link of the last counted solicitation (0: none), and the row of this link. The next solicitation is often from the same link. */
  #ifindex = 0
  #row: Float64Array = new Float64Array(TRAFFIC.length)
  /** The outcome of the last packet, and whether solicitations have this outcome. The next packet often has the same outcome. */
  #outcome: Outcome = 'answered'
  #isSolicitation = true

  /** @param words the interface names and patterns of the configuration */
  constructor(words: readonly string[], figuresOf: FiguresOf) {
    this.#figuresOf = figuresOf
    this.configure(words)
  }

  /** Counts traffic by the interface names and patterns of the new configuration from now on. */
  configure(words: readonly string[]): void {
    for (const ifindex of this.#links.keys()) this.#add(ifindex)
    this.#words = new Set(words)
    this.#patterns = words.filter((word) => word.includes('*'))
    for (const word of words) this.#rowOf(word)
    for (const [ifindex, { name }] of this.#links) this.listen(ifindex, name)
  }

  /** Starts to count for a link, or for the new name of a link. */
  listen(ifindex: number, name: string): void {
    this.#add(ifindex)
    const word = this.#words.has(name) ? name : this.#patterns.find((pattern) => matchesIface(pattern, name)) ?? BY_ROUTE
    const seen = this.#links.get(ifindex)?.seen ?? new Float64Array(OF_SOCKETS.length)
    this.#links.set(ifindex, { name, word, row: this.#rowOf(word), seen })
    this.#ifindex = 0
  }

  /** Ends counting for a link, before its sockets are closed. */
  ignore(ifindex: number): void {
    this.#add(ifindex)
    this.#links.delete(ifindex)
    this.#ifindex = 0
  }

  /** Counts a received packet if it is a valid solicitation. */
  received(outcome: Outcome, ifindex: number): void {
    if (outcome !== this.#outcome) {
      this.#outcome = outcome
      this.#isSolicitation = SOLICITATION_OUTCOMES.has(outcome)
    }
    if (!this.#isSolicitation) return
    if (ifindex !== this.#ifindex) {
      const member = this.#links.get(ifindex)
      if (member === undefined) return
      this.#ifindex = ifindex
      this.#row = member.row
    }
    this.#row[SOLICITATIONS]++
  }

  event(event: Event): void {
    if (event.kind === 'limit') this.refusals[event.limit] += event.refused ?? 1
    else if (event.kind === 'conflict') this.conflicts[event.basis]++
    else if (event.kind === 'neighbor' && event.news) {
      if (event.state === 'FAILED' || event.state === 'GONE') this.changes.lost++
      else if (event.state === 'REACHABLE') this.changes[event.former === undefined ? 'found' : 'moved']++
    }
  }

  /** Totals of each name and pattern of the present configuration, and of links that only a route leads to. */
  get interfaces(): InterfaceTotals[] {
    const present = new Map<string, { ifindexes: number[]; serving: number }>()
    for (const [ifindex, { word }] of this.#links) {
      const isServing = this.#add(ifindex)
      const sum = present.get(word) ?? { ifindexes: [], serving: 0 }
      sum.ifindexes.push(ifindex)
      sum.serving += Number(isServing)
      present.set(word, sum)
    }
    const words = [...this.#words, ...this.#rows.has(BY_ROUTE) && !this.#words.has(BY_ROUTE) ? [BY_ROUTE] : []]
    return words.map((word) => {
      const row = this.#rowOf(word)
      const traffic = Object.fromEntries(TRAFFIC.map((column, i) => [column, row[i]])) as InterfaceTotals['traffic']
      return { word, ...present.get(word) ?? { ifindexes: [], serving: 0 }, traffic }
    })
  }

  #rowOf(word: string): Float64Array {
    let row = this.#rows.get(word)
    if (row === undefined) this.#rows.set(word, row = new Float64Array(TRAFFIC.length))
    return row
  }

  /** Adds what the sockets of a link have counted since the last call. @returns `isServing` of the link; false without sockets */
  #add(ifindex: number): boolean {
    const member = this.#links.get(ifindex)
    const figures = member === undefined ? undefined : this.#figuresOf(ifindex)
    if (member === undefined || figures === undefined) return false
    const { row, seen } = member
    for (let column = 0; column < OF_SOCKETS.length; column++) {
      const value = figures[OF_SOCKETS[column]]
      row[column] += value - seen[column]
      seen[column] = value
    }
    return figures.isServing
  }
}
