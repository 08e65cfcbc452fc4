/** The figures of the bench: combined over the rounds, compared with their bars, and printed as tables. */
import { table } from '../../src/cli/table.ts'
import type { Contender } from './responder.ts'
import type { Case, Testbed } from './testbed.ts'

/** The figures of one round of one contender. */
export type Figures = { readonly [Name in FigureName]?: number | undefined }
export type FigureName = keyof typeof FIGURES
type Combine = (values: readonly number[]) => number

/** Title and digits of each figure. Rounds are combined by their median, or by `sum` or `max`. */
export const FIGURES = {
  rate: { title: 'answers/s', digits: 0 },
  answered: { title: 'answered %', digits: 2 },
  calmP50: { title: 'calm p50 us', digits: 1 },
  calmP99: { title: 'calm p99 us', digits: 1 },
  p50: { title: 'p50 us', digits: 1 },
  p99: { title: 'p99 us', digits: 1 },
  worst: { title: 'worst us', digits: 0 },
  lost: { title: 'lost', digits: 0, combine: sum },
  unexpected: { title: 'unexpected', digits: 0, combine: sum },
  cpuEach: { title: 'cpu us each', digits: 1 },
  /** Share of one CPU. */
  cpu: { title: 'cpu %', digits: 3 },
  start: { title: 'start ms', digits: 0 },
  memory: { title: 'private MiB', digits: 1 },
  grown: { title: 'added MiB', digits: 1 },
  bytes: { title: 'bytes each', digits: 0 },
  /** The longest by garbage collection. */
  pause: { title: 'pause ms', digits: 1, combine: max },
  scanned: { title: 'scanned/s', digits: 0 },
  probes: { title: 'probes/s', digits: 0 },
  churn: { title: 'cpu % in churn', digits: 3 },
  adding: { title: 'add ms', digits: 0 },
  returning: { title: 'link up ms', digits: 0 },
  deleting: { title: 'delete ms', digits: 0 },
  missed: { title: 'BIRD missed', digits: 0, combine: sum },
  others: { title: 'others', digits: 2 },
  idle: { title: 'solicitor idle %', digits: 0 },
} as const satisfies Record<string, { title: string; digits: number; combine?: Combine }>

/** A limit for a figure of one contender, or for its ratio to that of another one: the median of the ratios of the rounds. */
export interface Bar {
  readonly figure: FigureName
  readonly of: string
  /** The divisor; `figure` if it is another one than above. */
  readonly over?: { readonly of: string; readonly figure?: FigureName }
  readonly atMost?: number
  readonly atLeast?: number
}

export interface Verdict extends Bar {
  readonly bar: number
  /** Both are undefined when a contender did not take part. */
  readonly value?: number
  readonly reached?: boolean
}

/** The figures of the rounds by contender. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>

export interface Row {
  readonly name: string
  /** Combined over the rounds. */
  readonly figures: Figures
  readonly rounds: readonly Figures[]
}

export interface Result extends Pick<Case, 'name' | 'title'> {
  readonly rows: readonly Row[]
  readonly bars: readonly Verdict[]
  /** By contender: why it could not be measured. */
  readonly failed: Readonly<Record<string, string>>
}

const INDENTED = { indent: '  ' } as const

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function sum(values: readonly number[]): number { return values.reduce((sum, value) => sum + value, 0) }
function max(values: readonly number[]): number { return Math.max(...values) }

/** @returns the figure of all rounds; undefined without any */
function combined(name: FigureName, values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined && !Number.isNaN(value)) as number[]
  const format = FIGURES[name]
  return given.length === 0 ? undefined : ('combine' in format ? format.combine : median)(given)
}

function summarize(rounds: readonly Figures[]): Figures {
  return Object.fromEntries((Object.keys(FIGURES) as FigureName[])
    .map((name) => [name, combined(name, rounds.map((figures) => figures[name]))]).filter(([, value]) => value !== undefined))
}

function compare(bar: Bar, rounds: Rounds): Verdict {
  const { figure, of, over, atMost, atLeast } = bar
  const own = rounds.get(of)?.map((figures) => figures[figure]) ?? []
  const other = over && rounds.get(over.of)?.map((figures) => figures[over.figure ?? figure])
  const limit = atMost ?? atLeast ?? NaN
  const value = combined(figure, over === undefined ? own : own.map((value, i) => (value ?? NaN) / (other?.[i] ?? NaN)))
  if (value === undefined) return { ...bar, bar: limit }
  return { ...bar, bar: limit, value, reached: atMost === undefined ? value >= limit : value <= limit }
}

/** Makes the result of a case. A contender that could not be measured reaches none of its bars. */
export function conclude(
  { name, title, bars }: Case, rounds: Rounds, { failed }: Pick<Testbed, 'failed'>): Result {
  return { name, title, rows: [...rounds].map(([name, of]) => ({ name, figures: summarize(of), rounds: of })),
    bars: bars.map((bar) => ({ ...compare(bar, rounds), ...failed.has(bar.of) && { reached: false } })),
    failed: Object.fromEntries(failed) }
}

/**
 * @param present the contenders whose program is installed; other programs than ndp6d may fail @param isComplete whether all are
 * @returns the contenders that gave no figures, and the figures that could not be compared with their bars
 */
export function gaps({ rows, bars, failed }: Result, present: readonly Contender[], isComplete: boolean): string[] {
  const silent = present.filter(({ name, program }) => program === 'ndp6d' || !(name in failed))
    .filter(({ name }) => !Object.values(rows.find((row) => row.name === name)?.figures ?? {}).some((value) => value > 0))
  const open = isComplete && Object.keys(failed).length === 0 ? bars.filter(({ value }) => value === undefined) : []
  return [...silent.map(({ name }) => name), ...open.map(({ figure, of }) => `${figure} of ${of}`)]
}

function text(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits)
}

/** The lowest and the highest value of the rounds, which show how far to trust the median. */
function spread({ rounds }: Row, figure: FigureName): string {
  const values = rounds.map((figures) => figures[figure] ?? NaN)
  const { digits } = FIGURES[figure]
  return `${text(Math.min(...values), digits)}-${text(Math.max(...values), digits)}`
}

function figureTable(rows: readonly Row[]): string {
  const names = (Object.keys(FIGURES) as FigureName[]).filter((name) => rows.some(({ figures }) => figures[name] !== undefined))
  const head = ['', FIGURES[names[0]].title, 'min-max', ...names.slice(1).map((name) => FIGURES[name].title)]
  return table([head, ...rows.map((row): readonly string[] => {
    const cells = names.map((name) => text(row.figures[name], FIGURES[name].digits))
    return [row.name, cells[0], spread(row, names[0]), ...cells.slice(1)]
  })], INDENTED)
}

function barTable(bars: readonly Verdict[]): string {
  return table([['', 'bar', 'value', ''], ...bars.map(({ figure, of, over, atMost, bar, value, reached }) => {
    const { title, digits } = FIGURES[figure]
    const otherwise = over?.figure === undefined ? '' : ` (${FIGURES[over.figure].title})`
    return [`${title} of ${of}${over === undefined ? '' : ` / ${over.of}${otherwise}`}`,
      `${atMost === undefined ? '>=' : '<='} ${bar}`, text(value, over === undefined ? Math.max(digits, 1) : 2),
      reached === undefined ? 'not measured' : reached ? 'reached' : 'NOT REACHED']
  })], INDENTED)
}

/** @returns the tables of one result */
export function print({ name, title, rows, bars, failed }: Result): string {
  const failures = Object.entries(failed).map(([contender, reason]) => `  ${contender}: ${reason}\n`).join('')
  return `\n${name}: ${title}\n${failures}${rows.length === 0 ? '' : figureTable(rows)}${bars.length === 0 ? '' : barTable(bars)}`
}
