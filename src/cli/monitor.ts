/** `ndp6d monitor`: packets and events as they happen. */
import { once } from 'node:events'
import type { InferredOptionTypes } from 'yargs'
import { Prefix } from '../address.ts'
import { NoReply, request } from '../control/client.ts'
import { EVENT_KINDS, PACKET_KINDS } from '../replies/event-filter.ts'
import type { MonitorEvent } from '../replies/monitor.ts'
import { control, explainFailure } from './connection.ts'
import { EXIT } from './exit.ts'
import { MonitorText } from './monitor-text.ts'
import { showTop } from './top.ts'
import { refuse } from './usage-errors.ts'

const SCHEMA = 'ndp6d/event/1'
const KINDS: readonly string[] = [...PACKET_KINDS, ...EVENT_KINDS]

export const command = 'monitor'
export const describe = 'show packets and events as they happen'

export const builder = {
  control,
  target: { type: 'string', requiresArg: true, describe: 'only this address, or addresses in this prefix' },
  link: { type: 'string', requiresArg: true, describe: 'only this link' },
  kind: { type: 'string', requiresArg: true, describe: `only these kinds, separated by commas: ${KINDS.join(', ')}` },
  count: { type: 'number', requiresArg: true, describe: 'end after this number of events' },
  top: { type: 'boolean', default: false, describe: 'a screen with the busiest targets and solicitors' },
  json: { type: 'boolean', default: false, describe: 'as lines of JSON' },
} as const

type Options = InferredOptionTypes<typeof builder>

export async function handler(options: Options): Promise<void> {
  const { control: path, target, link, kind, count, json } = options
  const wrong = problem(options)
  if (wrong !== undefined) return refuse(wrong)
  if (options.top) return showTop(path)
  const text = new MonitorText(process.stdout.isTTY, (lines) => void process.stdout.write(lines))
  const end = (): void => {
    if (!json) text.end()
    process.exit()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, end)
  let left = count ?? Number.POSITIVE_INFINITY
  try {
    const args = { target, link, kinds: kind?.split(',') }
    for await (const { since, events = [] } of request(path, 'monitor', args, 0) as AsyncIterable<{ since?: string; events?: MonitorEvent[] }>) {
      if (since === undefined && events.length === 0) throw new NoReply('foreign', 'the daemon sent no events')
      if (json && since !== undefined) process.stdout.write(`${JSON.stringify({ schema: SCHEMA, running: true, since })}\n`)
      const shown = take(events, left)
      left -= shown.filter(({ event }) => event !== 'lost').length
      if (json) process.stdout.write(shown.map((event) => `${JSON.stringify(event)}\n`).join(''))
      else text.show(shown)
      // Waits for a slow reader. Events then queue in the daemon instead of this process, and the daemon counts lost events.
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
      if (left === 0) break
    }
    if (!json) text.end()
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path)
    const running = process.exitCode === EXIT.notRunning ? false : null
    if (json) process.stdout.write(`${JSON.stringify({ schema: SCHEMA, running, since: null })}\n`)
  }
}

/** @returns what is wrong with the options, and what is expected */
function problem({ target, link, kind, count, top, json }: Options): string | undefined {
  if (top && !process.stdout.isTTY) return '--top needs a terminal: for a pipe, run `ndp6d monitor` without it'
  if (top && (json || (target ?? link ?? kind ?? count) !== undefined)) return '--top takes no other option'
  if (target !== undefined && Prefix.parse(target) === undefined) return `--target ${target} is neither an address nor a prefix like 2001:db8::/64`
  const unknown = kind?.split(',').find((word) => !KINDS.includes(word))
  if (unknown !== undefined) return `--kind ${unknown} is no kind of event: expected one of ${KINDS.join(', ')}`
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) return '--count takes a whole number above 0'
  return undefined
}

/** @returns the beginning of `events`, with at most `left` events, not counting those of the kind `lost` */
function take(events: readonly MonitorEvent[], left: number): readonly MonitorEvent[] {
  let counted = 0
  const end = events.findIndex(({ event }) => event !== 'lost' && ++counted > left)
  return end < 0 ? events : events.slice(0, end)
}
