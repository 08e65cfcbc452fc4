/** Asks a running ndp6d. */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { KnownNeighbor } from '../engine/known.ts'
import type { Part, Request, Status, Summary } from './protocol.ts'

/** For how long the daemon may be silent, in milliseconds. */
const PATIENCE = 10_000

/** Rejects with what connect(2) has to say (ENOENT and ECONNREFUSED: nobody listens; EACCES), or an Error that says more. */
export async function askStatus(path: string, patience = PATIENCE): Promise<Status> {
  const socket = connect(path)
  const request: Request = { command: 'status' }
  socket.write(`${JSON.stringify(request)}\n`)
  socket.setTimeout(patience, () => socket.destroy(new Error(`ndp6d has not answered for ${patience / 1000} s`)))
  const failed = new Promise<never>((_, reject) => socket.on('error', reject))
  try {
    return await Promise.race([read(createInterface({ input: socket, crlfDelay: Infinity })), failed])
  } finally {
    socket.destroy()
  }
}

async function read(lines: AsyncIterable<string>): Promise<Status> {
  let summary: Summary | undefined
  const neighbors: KnownNeighbor[] = []
  for await (const line of lines) {
    const part = JSON.parse(line) as Part
    if ('error' in part) throw new Error(part.error)
    if ('summary' in part) summary = part.summary
    else if ('neighbors' in part) neighbors.push(...part.neighbors)
    else if (summary !== undefined) return { ...summary, neighbors }
  }
  throw new Error('ndp6d ended before it had told all')
}
