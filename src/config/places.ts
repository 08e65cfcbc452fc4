/** Where the statements of a configuration are, for commands that explain what the daemon does. */
import type { Config } from './config.ts'
import type { Placed, Word } from './parser.ts'

/** A block, and the statements in it. */
export interface BlockPlace {
  readonly file: string
  /** Line of the block, from 1. */
  readonly line: number
  /** Lines of the block's rules, `host` and `exclude` statements, in the order of the configuration's values. */
  readonly lines: Readonly<Record<Part, Uint32Array>>
}

export type Part = 'rules' | 'hosts' | 'exclude'

/** The places of all blocks, in the order of the configuration's values. */
export type Places = Readonly<Record<'proxies' | 'subnets', readonly BlockPlace[]>>

/** Names a block, or a statement in it. */
export interface PlaceKey {
  readonly kind: keyof Places
  readonly block: number
  readonly part?: Part
  readonly index?: number
}

export interface Place { readonly file: string; readonly line: number }

const known = new WeakMap<Config, Places>()

/** Notes the places of a configuration. They are beside its values, so that configurations with equal values are equal. */
export function setPlaces(config: Config, places: Places): void { known.set(config, places) }

export function blockPlace(word: Word, parts: Partial<Record<Part, readonly Placed<unknown>[]>>): BlockPlace {
  const { rules = [], hosts = [], exclude = [] } = parts
  return { file: word.source.file, line: lineOf({ word }), lines: { rules: linesOf(rules), hosts: linesOf(hosts), exclude: linesOf(exclude) } }
}

/** @returns undefined for a statement that the configuration does not have, or if no file has the configuration */
export function findPlace(config: Config, { kind, block, part, index }: PlaceKey): Place | undefined {
  const found = known.get(config)?.[kind][block]
  const line = part === undefined ? found?.line : found?.lines[part][index ?? 0]
  return found === undefined || line === undefined ? undefined : { file: found.file, line }
}

function lineOf({ word: { source, start } }: Pick<Placed<unknown>, 'word'>): number { return source.locate(start).line }
function linesOf(placed: readonly Placed<unknown>[]): Uint32Array { return Uint32Array.from(placed, lineOf) }
