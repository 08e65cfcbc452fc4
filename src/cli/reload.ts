/** `ndp6d reload`: applies the changed configuration, or prints what it would change. */
import type { InferredOptionTypes } from 'yargs'
import { countOf, renderDiagnostic } from '../config/diagnostic.ts'
import { request } from '../control/client.ts'
import { changeColumns, keptSentence, minute, second } from '../log/reload-sentences.ts'
import { type Reload, reloadOf } from '../replies/reload.ts'
import { control, explainFailure, failureOf } from './connection.ts'
import { EXIT } from './exit.ts'
import { table } from './table.ts'
import { refuse } from './usage-errors.ts'

/** Limits of `--try`, milliseconds. */
const [SHORTEST, LONGEST] = [1000, 86_400_000]
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 }

export const command = 'reload'
export const describe = 'read the configuration again, print what changes, and apply it'

export const builder = {
  control,
  json: { type: 'boolean', default: false, describe: 'as one JSON document' },
  'dry-run': { type: 'boolean', default: false, describe: 'print what would change, and change nothing' },
  try: { type: 'string', requiresArg: true, describe: 'undo it after this time, like 60s or 5m, unless it is confirmed' },
  confirm: { type: 'boolean', default: false, describe: 'keep the configuration that is on trial' },
} as const

type Options = InferredOptionTypes<typeof builder>

/** @returns what is wrong with the options, and what is expected */
function problem({ 'dry-run': dryRun, try: time, confirm }: Options): string | undefined {
  if ([time !== undefined, dryRun, confirm].filter(Boolean).length > 1) return '`--dry-run`, `--try` and `--confirm` exclude each other'
  return time === undefined || timeOf(time) !== undefined ? undefined : `\`--try ${time}\` is no time: expected one from 1s to 24h, like 60s or 5m`
}

/** @returns milliseconds; undefined if `text` is no time with a unit, or beyond the limits */
function timeOf(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})(ms|s|m|min|h)$/.exec(text) ?? []
  const time = Number(digits) * (UNITS[unit] ?? NaN)
  return time >= SHORTEST && time <= LONGEST ? time : undefined
}

export async function handler(options: Options): Promise<void> {
  const { control: path, json, 'dry-run': dryRun, try: time, confirm } = options
  const wrong = problem(options)
  if (wrong !== undefined) return refuse(wrong)
  try {
    const reload = await reloadOf(request(path, 'reload', { dryRun, confirm, try: time === undefined ? undefined : timeOf(time) }))
    if (reload.verdict === 'refused') process.exitCode = EXIT.config
    if (json) printJson(reload, null)
    else print(reload, time !== undefined)
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path)
    if (json) printJson(undefined, failureOf(error as NodeJS.ErrnoException, path).sentence)
  }
}

function print({ file, verdict, problems, unreadable, changes, kept, dropped, links, took, since, undoAt, endedTrial }: Reload, isTrial: boolean): void {
  for (const problem of problems) process.stderr.write(`${renderDiagnostic(problem)}\n`)
  if (unreadable !== null) process.stderr.write(`ndp6d: ${unreadable}\n`)
  if (verdict === 'refused') {
    process.stderr.write(`Nothing changed: ndp6d goes on with the configuration of ${minute(new Date(since))}\n`)
    return
  }
  if (verdict === 'confirmed') {
    process.stdout.write(`Confirmed: the configuration of ${minute(new Date(since))} stays.\n`)
    return
  }
  const would = verdict === 'would-apply'
  const lines = changes.length === 0 ? `  no difference to the configuration of ${minute(new Date(since))}\n`
    : table(changes.map(changeColumns).map(([part, detail, place]) => [part, `${detail}  ${place}`.trimEnd()]), { left: 2, indent: '  ' })
  const sentences = [
    would ? 'Nothing changed by --dry-run:' : `Applied in ${Math.max(1, Math.round(took))} ms.`,
    `${sentence(keptSentence(kept ?? 0, dropped ?? 0, links, would), !would)}.`,
    ...undoAt === null ? endedTrial ? ['The trial is over: this configuration stays.'] : []
      : would ? [] : [`Undone at ${second(new Date(undoAt))} unless you run: ndp6d reload --confirm`],
    ...isTrial && undoAt === null ? ['Without a difference there is nothing to undo.'] : [],
  ]
  const warnings = problems.length === 0 ? '' : `, with ${countOf(problems.length, 'warning')}`
  // Interface names may contain control characters.
  process.stdout.write(`${file}: good${warnings}\n${lines}${sentences.join(' ')}\n`.replace(/(?!\n)\p{Cc}/gu, '?'))
}

function sentence(text: string, isStart: boolean): string { return isStart ? text.charAt(0).toUpperCase() + text.slice(1) : text }

/** @param error the reason why there is no reply; null if there is a reply */
function printJson(reload: Reload | undefined, error: string | null): void {
  const { file = null, verdict = null, problems = [], changes = [], kept = null, dropped = null, links = [], took = null, since = null,
    undoAt = null, unreadable = null } = reload ?? {}
  process.stdout.write(`${JSON.stringify({ schema: 'ndp6d/reload/1', error: error ?? unreadable, file, verdict, applied: verdict === 'applied',
    since, undoAt, took, kept, dropped, links, changes, problems: problems.map(({ text, length, ...problem }) => ({ hint: null, ...problem,
      endColumn: problem.column + length })) }, undefined, 2)}\n`)
}
