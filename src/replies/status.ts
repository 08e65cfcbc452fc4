/** The reply to `ndp6d status`. */
import { setImmediate } from 'node:timers/promises'
import type { Part } from '../control/protocol.ts'
import type { NeighborSnapshot } from '../engine.ts'
import type { Limit, LinkUsage, Outcome } from '../events.ts'
import type { ReloadState } from '../reloads.ts'

/** The most neighbors in one part of the reply. Packets are processed between two parts. */
const PART_SIZE = 256

/** The status without the neighbors, which may be thousands. */
export interface Summary {
  readonly version: string
  readonly pid: number
  /** Seconds since the start. */
  readonly uptime: number
  readonly links: readonly LinkUsage[]
  /** Packets since the start, by outcome. */
  readonly counters: Readonly<Record<Outcome, number>>
  readonly reload: ReloadState
  readonly limits: readonly Limit[]
}

export interface Status extends Summary { readonly neighbors: readonly NeighborSnapshot[] }

/** What the status is made from. */
export interface StatusSource {
  summary(): Summary
  /** Read in parts, between which neighbors may change. */
  neighbors(): Iterable<NeighborSnapshot>
}

export async function * statusReply(source: StatusSource): AsyncGenerator<Part> {
  yield { summary: source.summary() }
  let neighbors: NeighborSnapshot[] = []
  for (const neighbor of source.neighbors()) {
    if (neighbors.push(neighbor) < PART_SIZE) continue
    yield { neighbors }
    neighbors = []
    await setImmediate()
  }
  yield { neighbors }
}

/** Joins the parts of the reply. */
export async function statusOf(parts: AsyncIterable<Part>): Promise<Status> {
  let summary: Summary | undefined
  const neighbors: NeighborSnapshot[] = []
  for await (const part of parts as AsyncIterable<Partial<{ summary: Summary; neighbors: NeighborSnapshot[] }>>) {
    summary ??= part.summary
    neighbors.push(...part.neighbors ?? [])
  }
  if (summary === undefined) throw new Error('the daemon sent no status')
  return { ...summary, neighbors }
}
