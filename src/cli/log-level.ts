/** `ndp6d log-level [LEVEL]`: shows or sets the level of the running daemon's log. */
import type { InferredOptionTypes } from 'yargs'
import { NoReply, request } from '../control/client.ts'
import { LEVELS, type LogLevel } from '../replies/log-level.ts'
import { control, explainFailure } from './connection.ts'

export const command = 'log-level [LEVEL]'
export const describe = 'show or set the level of the log until the next start'

const SCHEMA = 'ndp6d/log-level/1'

export const builder = {
  LEVEL: { choices: LEVELS, describe: 'least severe records to log; by default it is only shown' },
  control,
  json: { type: 'boolean', default: false, describe: 'as one JSON object' },
} as const

export async function handler({ LEVEL: wanted, control: path, json }: InferredOptionTypes<typeof builder>): Promise<void> {
  try {
    let reply: Partial<LogLevel> = {}
    for await (const part of request(path, 'log-level', wanted === undefined ? {} : { level: wanted })) reply = part
    const { level, former } = reply
    if (level === undefined) throw new NoReply('foreign', 'the daemon sent no level')
    process.stdout.write(json ? `${JSON.stringify({ schema: SCHEMA, running: true, level, former }, undefined, 2)}\n`
      : former === null || former === level ? `${level}\n` : `${level}, formerly ${former}\n`)
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path, json ? SCHEMA : undefined)
  }
}
