/** `ndp6d status`: what the running daemon does, with what is wrong first. */
import { styleText } from 'node:util'
import type { InferredOptionTypes } from 'yargs'
import { Address } from '../address.ts'
import { request } from '../control/client.ts'
import type { LinkStatus } from '../replies/links.ts'
import { type Status, statusOf } from '../replies/status.ts'
import { control, explainFailure } from './connection.ts'
import * as explain from './explain.ts'
import { EXIT } from './exit.ts'
import { lastWords } from './last-words.ts'
import { StatusText, type TextOptions } from './status-text.ts'
import { refuse } from './usage-errors.ts'

export const command = 'status [WHAT]'
export const describe = 'show what the running daemon does, and what is wrong'

const SCHEMA = 'ndp6d/status/1'
const VIEWS = ['hosts', 'drops', 'limits'] as const
/** Columns for a pipe, and for a terminal of unknown size. */
const PLAIN_WIDTH = 80

export const builder = {
  WHAT: { type: 'string', describe: `${VIEWS.join(', ')}, or an address, as explain shows it; by default an overview` },
  control,
  all: { type: 'boolean', default: false, describe: 'everything, also unknown targets and counters that are 0' },
  json: { type: 'boolean', default: false, describe: 'as one JSON object' },
} as const

/** @returns whether a link that exists and is configured is not served. Then the exit status is 1 */
export function isUnserved({ state }: LinkStatus): boolean { return ['port', 'failed', 'pending'].includes(state) }

export async function handler({ WHAT, control: path, all, json }: InferredOptionTypes<typeof builder>): Promise<void> {
  if (WHAT !== undefined && Address.parse(WHAT) !== undefined) return explain.handler({ ADDRESS: WHAT, control: path, probe: false, json })
  if (WHAT !== undefined && !VIEWS.some((view) => view === WHAT)) {
    return refuse(`status shows ${VIEWS.join(', ')} or an address, not ${WHAT}`)
  }
  try {
    const status = await statusOf(request(path, 'status', { all }))
    if (status.links.some(isUnserved)) process.exitCode = EXIT.failed
    process.stdout.write(json ? `${JSON.stringify({ schema: SCHEMA, running: true, ...status }, undefined, 2)}\n`
      : print(status, WHAT, all))
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path, json ? SCHEMA : undefined)
    const words = process.exitCode === EXIT.notRunning ? lastWords() : undefined
    if (words !== undefined) process.stderr.write(`Last problem in the journal, ${words}\n`)
  }
}

function print(status: Status, view: string | undefined, all: boolean): string {
  const { isTTY, columns } = process.stdout
  const options: TextOptions = { all, color: (color, text) => styleText(color, text, { stream: process.stdout }),
    // A list in a pipe has all columns: it is read by a program, or searched.
    ...(isTTY || view === undefined ? { width: columns > 0 ? columns : PLAIN_WIDTH } : {}) }
  const text = new StatusText(status, options)
  switch (view) {
    case 'hosts': return text.hosts
    case 'drops': return text.drops
    case 'limits': return text.limits
    default: return text.overview
  }
}
