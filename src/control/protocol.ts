/**
 * What a running ndp6d and the commands say to each other: lines of JSON over a stream socket in the file system. The command
 * writes one `Request`. The reply is a line for each `Part`, the last one `end`, or a single `error`.
 */
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { KnownNeighbor } from '../engine/known.ts'
import type { Limit, LinkUsage, Outcome } from '../engine/types.ts'

export interface Request { readonly command: 'status' }

/** All but the neighbors, who may be many. */
export interface Summary {
  readonly version: string
  readonly pid: number
  /** Seconds since the start. */
  readonly uptime: number
  readonly links: readonly LinkUsage[]
  /** Packets since the start, by what became of them. */
  readonly counters: Readonly<Record<Outcome, number>>
  /** All that has room for so many. */
  readonly limits: readonly Limit[]
}

export type Part =
  | { readonly summary: Summary }
  | { readonly neighbors: readonly KnownNeighbor[] }
  | { readonly end: true }
  | { readonly error: string }

export interface Status extends Summary {
  /** In no order. */
  readonly neighbors: readonly KnownNeighbor[]
}

/** Where both meet: one for each network namespace, as there is one daemon. systemd.exec(5), RuntimeDirectory=. */
export function controlPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.RUNTIME_DIRECTORY?.split(':')[0] || '/run/ndp6d', `control${namespace()}`)
}

/** `-4026531840`. Empty where there is one only: a kernel without CONFIG_NET_NS. */
function namespace(): string {
  try {
    return `-${/\d+/.exec(readlinkSync('/proc/self/ns/net'))![0]}`
  } catch {
    return ''
  }
}
