/** The bench's figures: medians over the rounds, ratios to the baseline, and the table a person reads. */
import type { Measurement } from './asker.ts'
import { BASELINE } from './cases.ts'
import type { Case, ResponderName } from './cases.ts'

/** One responder's figures in one case; the medians of its rounds. Units as in `Measurement`. */
export interface Summary extends Pick<Measurement, 'p50' | 'p99' | 'lost' | 'unexpected' | 'idle' | 'others'> {
  readonly responder: ResponderName
  readonly rate: number
  /** Lowest and highest rate of a round: how far to trust the median. */
  readonly rates: readonly [number, number]
  /** CPU microseconds of the responder for one answer, and its resident megabytes after the last round. */
  readonly cpu?: number
  readonly rss?: number
  /** Its rate and its p50 over the baseline's. */
  readonly rateRatio?: number
  readonly p50Ratio?: number
}

export interface Result extends Pick<Case, 'name' | 'outstanding' | 'targets'> {
  readonly responders: readonly Summary[]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function summarize(responder: ResponderName, rounds: readonly Measurement[]): Summary {
  const over = (figure: (round: Measurement) => number) => median(rounds.map(figure))
  const sum = (figure: (round: Measurement) => number) => rounds.reduce((total, round) => total + figure(round), 0)
  const rates = rounds.map((round) => round.answers / round.seconds)
  const rss = rounds.at(-1)?.rss
  return {
    responder, rate: median(rates), rates: [Math.min(...rates), Math.max(...rates)],
    p50: over((round) => round.p50), p99: over((round) => round.p99),
    idle: over((round) => round.idle), others: over((round) => round.others),
    lost: sum((round) => round.lost), unexpected: sum((round) => round.unexpected),
    ...rss !== undefined && { rss: rss / 1e6,
      cpu: 1e6 * sum((round) => round.cpu ?? 0) / sum((round) => round.answers) },
  }
}

/** @param rounds by responder, the measurements of its rounds */
export function conclude(situation: Case, rounds: ReadonlyMap<ResponderName, readonly Measurement[]>): Result {
  const { name, outstanding, targets } = situation
  const summaries = [...rounds].map(([responder, measurements]) => summarize(responder, measurements))
  const base = summaries.find(({ responder }) => responder === BASELINE)
  return { name, outstanding, targets, responders: summaries.map((summary) => ({ ...summary,
    ...base !== undefined && { rateRatio: summary.rate / base.rate, p50Ratio: summary.p50 / base.p50 } })) }
}

const COLUMNS: readonly (readonly [string, (summary: Summary) => string | undefined])[] = [
  ['answers/s', ({ rate }) => rate.toFixed(0)],
  ['min-max', ({ rates }) => rates.map((rate) => `${(rate / 1000).toFixed(1)}`).join('-') + 'k'],
  [`x ${BASELINE}`, ({ rateRatio }) => rateRatio?.toFixed(2)],
  ['p50 us', ({ p50 }) => p50.toFixed(1)],
  ['p99 us', ({ p99 }) => p99.toFixed(1)],
  [`p50 x ${BASELINE}`, ({ p50Ratio }) => p50Ratio?.toFixed(2)],
  ['lost', ({ lost }) => String(lost)],
  ['cpu us each', ({ cpu }) => cpu?.toFixed(1)],
  ['rss MB', ({ rss }) => rss?.toFixed(1)],
  ['others', ({ others }) => others.toFixed(2)],
  ['asker idle', ({ idle }) => `${(100 * idle).toFixed(0)} %`],
]

/** The results as text: a table for each case. */
export function print(results: readonly Result[]): string {
  return results.map(({ name, outstanding, targets, responders }) => {
    const rows = [['', ...COLUMNS.map(([title]) => title)],
      ...responders.map((summary) => [summary.responder, ...COLUMNS.map(([, text]) => text(summary) ?? '-')])]
    const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
    const lines = rows.map((row) => `  ${row[0].padEnd(widths[0])}`
      + row.slice(1).map((cell, i) => cell.padStart(widths[i + 1] + 2)).join(''))
    return `\n${name}, ${targets} targets, ${outstanding} outstanding\n${lines.join('\n')}\n`
  }).join('')
}
