/** The reply to `ndp6d doctor`: the facts that only the daemon has. */
import type { Part } from '../control/protocol.ts'
import type { DaemonFacts, NeighborFacts } from '../doctor/check.ts'
import { inParts } from './parts.ts'

/** The most neighbors in one part of the reply. */
const PART_SIZE = 256

export interface DoctorSource {
  readonly facts: DaemonFacts
  readonly neighbors: Iterable<NeighborFacts>
}

/** @param file the configuration file of the daemon */
export function * doctorReply(source: DoctorSource, file: string): Generator<Part> {
  yield { facts: source.facts, file }
  for (const neighbors of inParts(source.neighbors, PART_SIZE, (neighbor) => neighbor)) yield { neighbors }
}

/** Joins the parts of the reply. */
export async function doctorFactsOf(parts: AsyncIterable<Part>): Promise<{ facts: DaemonFacts; file: string; neighbors: NeighborFacts[] }> {
  let first: { facts: DaemonFacts; file: string } | undefined
  const neighbors: NeighborFacts[] = []
  for await (const part of parts as AsyncIterable<Partial<{ facts: DaemonFacts; file: string; neighbors: NeighborFacts[] }>>) {
    if (part.facts !== undefined && part.file !== undefined) first ??= { facts: part.facts, file: part.file }
    neighbors.push(...part.neighbors ?? [])
  }
  if (first === undefined) throw new Error('the daemon sent no facts')
  return { ...first, neighbors }
}
