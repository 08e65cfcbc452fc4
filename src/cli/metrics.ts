/** `ndp6d metrics`: the daemon's metrics in Prometheus' text format, also for the textfile collector of node_exporter. */
import { chmodSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { InferredOptionTypes } from 'yargs'
import { NoReply, request } from '../control/client.ts'
import { METRICS, type MetricName, type Reading } from '../exporter/catalog.ts'
import { control, explainFailure } from './connection.ts'
import { EXIT } from './exit.ts'
import { readOnly, type Unwritable } from './unwritable.ts'
import { refuse } from './usage-errors.ts'

export const command = 'metrics'
export const describe = 'print the metrics of the running daemon for Prometheus'

const SCHEMA = 'ndp6d/metrics/1'

export const builder = {
  control,
  json: { type: 'boolean', default: false, describe: 'as one JSON object' },
  write: { type: 'string', requiresArg: true, describe: 'replace FILE as a whole, for the textfile collector of node_exporter' },
} as const

export async function handler({ control: path, json, write: file }: InferredOptionTypes<typeof builder>): Promise<void> {
  if (json && file !== undefined) return refuse('`--json` and `--write` exclude each other')
  let reading: Reading | undefined
  try {
    for await (const part of request(path, 'metrics')) reading = part.reading as Reading | undefined
    if (reading === undefined) throw new NoReply('foreign', 'the daemon sent no metrics')
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path, json ? SCHEMA : undefined)
    return
  }
  if (json) process.stdout.write(`${JSON.stringify({ schema: SCHEMA, running: true, metrics: familiesOf(reading) }, undefined, 2)}\n`)
  else if (file === undefined) process.stdout.write(await textOf(reading))
  // Writes only metrics of ndp6d, because node_exporter refuses a file with a metric of node_exporter, such as process_open_fds.
  else process.exitCode = replace(file, await textOf(reading, (name) => name.startsWith('ndp6d_')))
}

/** Formats a reading in this process, so that the daemon need not load prom-client. */
async function textOf(reading: Reading, isWanted?: (name: MetricName) => boolean): Promise<string> {
  const { Exposition } = await import('../exporter/exposition.ts')
  return new Exposition(isWanted).print(reading)
}

/** @returns each metric of the catalog with its series; without series if a daemon of another version lacks the metric */
function familiesOf(reading: Reading) {
  return Object.entries(METRICS).map(([name, { type, help, labels }]) => ({ name, type, help,
    series: (reading[name as MetricName] ?? []).map((sample) => ({
      labels: Object.fromEntries(labels.map((label, i) => [label, sample[i]])), value: sample.at(-1) })) }))
}

/**
 * Replaces a file as a whole. The textfile collector runs as another user, so the file is readable for all. The collector reads only
 * `*.prom`, so it ignores the draft. @returns the exit status
 */
function replace(file: string, text: string): number {
  const draft = `${file}.${process.pid}.new`
  try {
    // Renaming over a device, or over a symbolic link such as /dev/stdout, would delete it.
    if (lstatSync(file, { throwIfNoEntry: false })?.isFile() === false) {
      throw Object.assign(new Error('not a regular file: name another one'), { code: 'EINVAL' })
    }
    writeFileSync(draft, text, { flag: 'wx' })
    chmodSync(draft, 0o644)
    renameSync(draft, file)
    return EXIT.good
  } catch (error) {
    rmSync(draft, { force: true })
    const { status, sentence } = explainUnwritable(file, error as NodeJS.ErrnoException)
    process.stderr.write(`ndp6d: ${sentence}\n`)
    return status
  }
}

function explainUnwritable(file: string, { code, message }: NodeJS.ErrnoException): Unwritable {
  const directory = dirname(file)
  switch (code) {
    case 'EROFS': return readOnly(file)
    case 'EACCES': case 'EPERM':
      return { status: EXIT.notPermitted, sentence: `cannot write ${file}: not permitted in ${directory}: run this command with sudo` }
    case 'ENOENT': return { status: EXIT.failed,
      sentence: `cannot write ${file}: the directory ${directory} does not exist: create it, or install prometheus-node-exporter` }
    default: return { status: EXIT.failed, sentence: `cannot write ${file}: ${message}` }
  }
}
