/** The bench's figures: medians over the rounds, what they are held against, and the tables a person reads. */
import { table } from '../../src/cli/table.ts'
import type { Case } from './manners.ts'
import type { Stage } from './stage.ts'

/** What one round of one contender gave, by the names in FIGURES. */
export type Figures = { readonly [Name in FigureName]?: number | undefined }
export type FigureName = keyof typeof FIGURES

/** How each figure is called, and how it is written. Medians, but for what is `summed` over the rounds. */
export const FIGURES = {
  rate: { title: 'answers/s', digits: 0 },
  answered: { title: 'answered %', digits: 2 },
  calmP50: { title: 'calm p50 us', digits: 1 },
  calmP99: { title: 'calm p99 us', digits: 1 },
  p50: { title: 'p50 us', digits: 1 },
  p99: { title: 'p99 us', digits: 1 },
  worst: { title: 'worst us', digits: 0 },
  lost: { title: 'lost', digits: 0, summed: true },
  unexpected: { title: 'unexpected', digits: 0, summed: true },
  cpuEach: { title: 'cpu us each', digits: 1 },
  /** Share of one CPU. */
  cpu: { title: 'cpu %', digits: 3 },
  start: { title: 'start ms', digits: 0 },
  memory: { title: 'rss MiB', digits: 1 },
  grown: { title: 'rss + MiB', digits: 1 },
  kept: { title: 'rss after + MiB', digits: 1 },
  bytes: { title: 'bytes each', digits: 0 },
  scanned: { title: 'scanned/s', digits: 0 },
  probes: { title: 'probes/s', digits: 0 },
  churn: { title: 'cpu % in churn', digits: 3 },
  adding: { title: 'add ms', digits: 0 },
  returning: { title: 'link up ms', digits: 0 },
  deleting: { title: 'delete ms', digits: 0 },
  missed: { title: 'BIRD missed', digits: 0, summed: true },
  others: { title: 'others', digits: 2 },
  idle: { title: 'asker idle %', digits: 0 },
} as const satisfies Record<string, { title: string; digits: number; summed?: true }>

/** A figure of one contender, perhaps over (a ratio in each round, of which the median counts) one of another. */
export interface Bar {
  readonly figure: FigureName
  readonly of: string
  /** `figure`: another one of the contender's than the one above. */
  readonly over?: { readonly of: string; readonly figure?: FigureName }
  readonly atMost?: number
  readonly atLeast?: number
}

export interface Verdict extends Bar {
  readonly bar: number
  /** Undefined, as `reached`, when one of the two did not take part. */
  readonly got?: number
  readonly reached?: boolean
}

/** By contender: the figures of its rounds. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>

export interface Row {
  readonly name: string
  /** Medians of the rounds. */
  readonly figures: Figures
  readonly rounds: readonly Figures[]
}

export interface Result extends Pick<Case, 'name' | 'title'> {
  readonly rows: readonly Row[]
  readonly bars: readonly Verdict[]
  /** By contender: why it could not be measured. */
  readonly failed: Readonly<Record<string, string>>
  readonly remarks: readonly string[]
}

const INDENTED = { indent: '  ' } as const

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function summarize(rounds: readonly Figures[]): Figures {
  return Object.fromEntries(Object.entries(FIGURES).flatMap(([name, format]) => {
    const values = rounds.map((figures) => figures[name as FigureName]).filter((value) => value !== undefined)
    if (values.length === 0) return []
    return [[name, 'summed' in format ? values.reduce((sum, value) => sum + value) : median(values)]]
  }))
}

function judge(bar: Bar, rounds: Rounds): Verdict {
  const { figure, of, over, atMost, atLeast } = bar
  const own = rounds.get(of)?.map((figures) => figures[figure])
  const other = over && rounds.get(over.of)?.map((figures) => figures[over.figure ?? figure])
  const pairs = own?.map((value, i) => over === undefined ? value : (value ?? NaN) / (other?.[i] ?? NaN)) ?? []
  const values = pairs.filter((value) => value !== undefined && !Number.isNaN(value)) as number[]
  const line = { ...bar, bar: atMost ?? atLeast ?? NaN }
  if (values.length === 0) return line
  const got = median(values)
  return { ...line, got, reached: atMost === undefined ? got >= line.bar : got <= line.bar }
}

/** Who could not be measured reaches none of its bars. */
export function conclude(
  { name, title, bars }: Case, rounds: Rounds, { failed, remarks }: Pick<Stage, 'failed' | 'remarks'>): Result {
  return {
    name, title,
    rows: [...rounds].map(([name, of]) => ({ name, figures: summarize(of), rounds: of })),
    bars: bars.map((bar) => ({ ...judge(bar, rounds), ...failed.has(bar.of) && { reached: false } })),
    failed: Object.fromEntries(failed), remarks,
  }
}

function text(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits)
}

/** Lowest and highest of the rounds: how far to trust the median. */
function spread({ rounds }: Row, figure: FigureName): string {
  const values = rounds.map((figures) => figures[figure] ?? NaN)
  const { digits } = FIGURES[figure]
  return `${text(Math.min(...values), digits)}-${text(Math.max(...values), digits)}`
}

function figureTable(rows: readonly Row[]): string {
  const names = (Object.keys(FIGURES) as FigureName[])
    .filter((name) => rows.some(({ figures }) => figures[name] !== undefined))
  const head = ['', FIGURES[names[0]].title, 'min-max', ...names.slice(1).map((name) => FIGURES[name].title)]
  return table([head, ...rows.map((row): readonly string[] => {
    const cells = names.map((name) => text(row.figures[name], FIGURES[name].digits))
    return [row.name, cells[0], spread(row, names[0]), ...cells.slice(1)]
  })], INDENTED)
}

function barTable(bars: readonly Verdict[]): string {
  return table([['', 'bar', 'got', ''], ...bars.map(({ figure, of, over, atMost, bar, got, reached }) => {
    const { title, digits } = FIGURES[figure]
    const otherwise = over?.figure === undefined ? '' : ` (${FIGURES[over.figure].title})`
    return [`${title} of ${of}${over === undefined ? '' : ` / ${over.of}${otherwise}`}`,
      `${atMost === undefined ? '>=' : '<='} ${bar}`, text(got, over === undefined ? Math.max(digits, 1) : 2),
      reached === undefined ? 'not measured' : reached ? 'reached' : 'NOT REACHED']
  })], INDENTED)
}

/** One result as text. */
export function print({ name, title, rows, bars, failed, remarks }: Result): string {
  const trouble = [...Object.entries(failed).map(([who, why]) => `${who}: ${why}`), ...remarks]
    .map((line) => `  ${line}\n`).join('')
  return `\n${name}: ${title}\n${trouble}${rows.length === 0 ? '' : figureTable(rows)}${bars.length === 0 ? '' : barTable(bars)}`
}
