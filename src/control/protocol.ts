/**
 * The control protocol between commands and the daemon: lines of JSON on a stream socket in the file system. The command sends one
 * {@link Request}. The reply has one line for each {@link Part}. The last part is `end`, or `error` is the only part.
 */
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { NeighborSnapshot } from '../engine.ts'
import type { Limit, LinkUsage, Outcome } from '../events.ts'

export interface Request { readonly command: 'status' }

/** The status without the neighbors, which may be thousands. */
export interface Summary {
  readonly version: string
  readonly pid: number
  /** Seconds since the start. */
  readonly uptime: number
  readonly links: readonly LinkUsage[]
  /** Packets since the start, by outcome. */
  readonly counters: Readonly<Record<Outcome, number>>
  readonly limits: readonly Limit[]
}

export type Part =
  | { readonly summary: Summary }
  | { readonly neighbors: readonly NeighborSnapshot[] }
  | { readonly end: true }
  | { readonly error: string }

export interface Status extends Summary {
  readonly neighbors: readonly NeighborSnapshot[]
}

/** @returns the path of the control socket: one for each network namespace, as there is one daemon for each */
export function controlPath(directory: string): string { return join(directory, `control${namespace()}`) }

/** @returns `-4026531840`: the inode number of this network namespace. Empty without CONFIG_NET_NS */
function namespace(): string {
  try {
    return `-${/\d+/.exec(readlinkSync('/proc/self/ns/net'))![0]}`
  } catch {
    return ''
  }
}
