/** The client of the control socket. */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { NeighborSnapshot } from '../engine.ts'
import type { Part, Request, Status, Summary } from './protocol.ts'

/** Longest silence of the daemon, milliseconds. */
const TIMEOUT = 10_000

/** @throws the error of connect(2): ENOENT or ECONNREFUSED without a daemon, EACCES without permission; else an Error */
export async function requestStatus(path: string, timeout = TIMEOUT): Promise<Status> {
  const socket = connect(path)
  const request: Request = { command: 'status' }
  socket.write(`${JSON.stringify(request)}\n`)
  socket.setTimeout(timeout, () => socket.destroy(new Error(`the daemon has not answered for ${timeout / 1000} s`)))
  const failed = new Promise<never>((_, reject) => socket.on('error', reject))
  try {
    return await Promise.race([read(createInterface({ input: socket, crlfDelay: Infinity })), failed])
  } finally {
    socket.destroy()
  }
}

async function read(lines: AsyncIterable<string>): Promise<Status> {
  let summary: Summary | undefined
  const neighbors: NeighborSnapshot[] = []
  for await (const line of lines) {
    const part = JSON.parse(line) as Part
    if ('error' in part) throw new Error(part.error)
    if ('summary' in part) summary = part.summary
    else if ('neighbors' in part) neighbors.push(...part.neighbors)
    else if (summary !== undefined) return { ...summary, neighbors }
  }
  throw new Error('the daemon closed the connection before the end of its reply')
}
