/** The reply to `ndp6d reload`. */
import type { Part, Request } from '../control/protocol.ts'
import type { LinkPreview } from '../engine.ts'
import type { Reloads, ReloadResult } from '../reloads.ts'

/** The most problems or changes in one part of the reply. */
const PART_SIZE = 256

/** The first part of the reply. */
export interface ReloadSummary extends Omit<ReloadResult, 'verdict' | 'problems' | 'changes' | 'preview'> {
  readonly verdict: ReloadResult['verdict'] | 'confirmed'
  /** Numbers of hosts that stay, and of hosts that are dropped. Null after an error, and for `confirm`. */
  readonly kept: number | null
  readonly dropped: number | null
  readonly links: readonly LinkPreview[]
}

export interface Reload extends ReloadSummary, Pick<ReloadResult, 'problems' | 'changes'> {}

/** Reloads at once, then yields the result part by part. Arguments: `dryRun`, `confirm`, and `try`, in milliseconds. */
export function * reloadReply(reloads: Reloads, { dryRun, confirm, try: trial }: Request): Generator<Part> {
  if (confirm === true) {
    const { since, undoAt } = reloads.confirm()
    const summary: ReloadSummary = { file: reloads.file, verdict: 'confirmed', unreadable: null, took: 0, endedTrial: true, since, undoAt,
      kept: null, dropped: null, links: [] }
    return yield { summary }
  }
  if (trial !== undefined && !(typeof trial === 'number' && trial > 0 && trial < 2 ** 31)) throw new Error('`try` is no time in milliseconds')
  const { preview, problems, changes, ...result } = reloads.reload({ dryRun: dryRun === true, trial })
  const summary: ReloadSummary = { ...result, kept: preview?.kept ?? null, dropped: preview?.dropped.length ?? null, links: preview?.links ?? [] }
  yield { summary }
  for (let i = 0; i < problems.length; i += PART_SIZE) yield { problems: problems.slice(i, i + PART_SIZE) }
  for (let i = 0; i < changes.length; i += PART_SIZE) yield { changes: changes.slice(i, i + PART_SIZE) }
}

/** Joins the parts of the reply. */
export async function reloadOf(parts: AsyncIterable<Part>): Promise<Reload> {
  let summary: ReloadSummary | undefined
  const lists = { problems: [] as Reload['problems'][number][], changes: [] as Reload['changes'][number][] }
  for await (const part of parts as AsyncIterable<Partial<Pick<Reload, 'problems' | 'changes'> & { summary: ReloadSummary }>>) {
    summary ??= part.summary
    lists.problems.push(...part.problems ?? [])
    lists.changes.push(...part.changes ?? [])
  }
  if (summary === undefined) throw new Error('the daemon sent no result')
  return { ...summary, ...lists }
}
