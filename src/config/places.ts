/** The places in the text where the parts of a Config were read. */
import type { Config, StatementKey } from './config.ts'
import type { Span } from './diagnostic.ts'

export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
}

export class Places {
  readonly #parts = new Map<object, Span>()
  readonly #options = new Map<object, Readonly<Record<string, Span>>>()

  /** Records the place of a block, rule, host or exclusion. */
  part(value: object, span: Span): void { this.#parts.set(value, span) }
  /** Records the places of the options of a block, or of the whole configuration, by field name. */
  options(owner: object, spans: Readonly<Record<string, Span>>): void { this.#options.set(owner, spans) }

  /** @returns the words that set an option; undefined if the option has its default */
  spanOf(owner: object, field: string): Span | undefined { return this.#options.get(owner)?.[field] }
  /** @returns the place of a part; undefined if the part is not from a file */
  of(value: object): Place | undefined { return placeOf(this.#parts.get(value)) }
  /** @returns the place of an option; that of its block if the option has its default */
  ofOption(owner: object, field: string): Place | undefined { return placeOf(this.#options.get(owner)?.[field]) ?? this.of(owner) }
}

function placeOf(span: Span | undefined): Place | undefined {
  return span && { file: span.source.file, line: span.source.locate(span.start).line }
}

const known = new WeakMap<Config, Places>()

/** Records the places of a configuration outside of the Config, so that configurations with equal values compare as equal. */
export function setPlaces(config: Config, places: Places): void { known.set(config, places) }

/** @returns the place of a statement; undefined if the configuration does not have it, or is not from a file */
export function findPlace(config: Config, { kind, block, part, index = 0 }: StatementKey): Place | undefined {
  const owner = config[kind][block] as Partial<Record<'rules' | 'hosts' | 'exclude', readonly object[]>> | undefined
  const value = part === undefined ? owner : owner?.[part]?.[index]
  return value === undefined ? undefined : known.get(config)?.of(value)
}
