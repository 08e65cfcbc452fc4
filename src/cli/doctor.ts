/** `ndp6d doctor`: what is wrong with the set-up of this machine, and the command that mends it. */
import type { InferredOptionTypes } from 'yargs'
import type { Config } from '../config/config.ts'
import { nearest } from '../config/suggest.ts'
import { request } from '../control/client.ts'
import type { Check, DaemonFacts, NeighborFacts, Outcome, Subject, Unknown } from '../doctor/check.ts'
import { doctorFactsOf } from '../replies/doctor.ts'
import { DEFAULT_FILE, readConfig } from './config-file.ts'
import { control } from './connection.ts'
import { lineFile, printOutcomes } from './doctor-report.ts'
import { EXIT } from './exit.ts'
import { refuse } from './usage-errors.ts'

export const command = 'doctor'
export const describe = 'find what is wrong with the set-up of this machine, and print what mends it'

/** Limit of each wait for data from the daemon, milliseconds. After a longer wait, the checks are made without the facts of the daemon. */
const DAEMON_TIME = 1500
/** The checks have until END milliseconds after the start of this process, but at least LEAST milliseconds. */
const END = 4500, LEAST = 2500

export const builder = {
  config: { alias: 'c', type: 'string', requiresArg: true, defaultDescription: `that of the running daemon, else ${DEFAULT_FILE}`,
    describe: 'configuration file' },
  control,
  list: { type: 'boolean', default: false, describe: 'list all checks, and make none' },
  only: { type: 'string', requiresArg: true, describe: 'codes of the checks to make, separated by commas' },
  strict: { type: 'boolean', default: false, describe: 'end with status 1 also if a check could not be made' },
  json: { type: 'boolean', default: false, describe: 'as one JSON document' },
} as const

export async function handler({ config: file, control: path, list, only, strict, json }: InferredOptionTypes<typeof builder>): Promise<void> {
  // Loads native code, which other commands do not need.
  const { CHECKS, examine } = await import('../doctor/doctor.ts')
  const codes = only?.split(',').filter((code) => code !== '')
  if (codes?.length === 0) return refuse('--only has no code: `ndp6d doctor --list` shows all codes')
  const wrong = codes?.find((code) => CHECKS.every((check) => check.code !== code))
  if (wrong !== undefined) {
    const near = nearest(wrong, CHECKS.map(({ code }) => code))
    process.stderr.write(`ndp6d: no check has the code '${wrong}'${near === undefined ? '' : `: did you mean ${near}?`}; \`ndp6d doctor --list\` shows all codes\n`)
    process.exitCode = EXIT.usage
    return
  }
  const checks = CHECKS.filter(({ code }) => codes?.includes(code) ?? true)
  if (list) return printList(checks, json)
  const daemon = await askDaemon(path)
  const configFile = file ?? daemon.file ?? DEFAULT_FILE
  const { Machine } = await import('../doctor/machine.ts')
  const { Rtnetlink } = await import('../linux/rtnetlink.ts')
  let kernel
  try {
    kernel = new Rtnetlink()
  } catch (error) {
    // Native code is missing, or no file descriptor is free.
    process.stderr.write(`ndp6d: ${(error as Error).message}\n`)
    process.exitCode = EXIT.failed
    return
  }
  const { facts, absence, neighbors } = daemon
  const subject: Subject = { machine: new Machine(kernel), config: configOf(configFile), file: configFile, daemon: facts, neighbors,
    ...absence !== undefined && { absence } }
  const outcomes = await examine(subject, checks, Math.max(LEAST, END - performance.now()))
  kernel.close()
  const isBad = outcomes.some(({ status }) => status === 'finding' || (strict && status === 'unknown'))
  process.exitCode = isBad ? EXIT.failed : EXIT.good
  const isRunning = facts !== undefined ? true : daemon.isAbsent ? false : null
  process.stdout.write(json ? `${JSON.stringify(documentOf(outcomes, { isRunning, file: configFile, isBad }), undefined, 2)}\n`
    : printOutcomes(outcomes, { isRunning, file: configFile, checked: checks.length, status: process.exitCode }))
}

function printList(checks: readonly Check[], json: boolean): void {
  const width = Math.max(...checks.map(({ code }) => code.length))
  process.stdout.write(json
    ? `${JSON.stringify({ schema: 'ndp6d/doctor/1', list: checks.map(({ code, severity, title }) => ({ code, severity, title })) }, undefined, 2)}\n`
    : checks.map(({ code, severity, title }) => `${code.padEnd(width)}  ${severity.padEnd(7)}  ${title}\n`).join(''))
}

function configOf(file: string): Config | undefined {
  try {
    return readConfig(file).config
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return undefined
  }
}

interface Asked {
  readonly facts?: DaemonFacts | undefined
  readonly file?: string
  readonly neighbors: readonly NeighborFacts[]
  /** No daemon listens. */
  readonly isAbsent?: boolean
  readonly absence?: Unknown
}

/** Requests the facts that only the daemon has. A failure is no error, because most checks need no daemon. */
async function askDaemon(path: string): Promise<Asked> {
  try {
    return await doctorFactsOf(request(path, 'doctor', {}, DAEMON_TIME))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') {
      return { neighbors: [], isAbsent: true, absence: { unknown: 'no daemon runs', how: 'systemctl start ndp6d' } }
    }
    const isForbidden = code === 'EACCES' || code === 'EPERM'
    return { neighbors: [], absence: isForbidden ? { unknown: 'not permitted to connect to the daemon', how: 'sudo ndp6d doctor' }
      : { unknown: `the daemon does not answer: ${message}`, how: 'systemctl restart ndp6d' } }
  }
}

/** @returns the document of schemas/doctor.json. Unknown values are null. */
function documentOf(outcomes: readonly Outcome[], { isRunning, file, isBad }: { isRunning: boolean | null; file: string; isBad: boolean }) {
  return {
    schema: 'ndp6d/doctor/1', ok: !isBad, running: isRunning, config: file,
    checks: outcomes.map(({ code, severity, status, finding, unknown }) => ({
      code, status, severity,
      what: finding?.what ?? unknown?.reason ?? null, why: finding?.why ?? null, mend: finding?.mend ?? null,
      mendIn: finding === undefined ? null : finding.isLine === true ? lineFile(code, file) : 'shell',
      keep: finding?.keep ?? null, how: unknown?.how ?? null, link: finding?.link ?? null, target: finding?.target ?? null,
    })),
  }
}
