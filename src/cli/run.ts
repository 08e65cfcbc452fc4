/** `ndp6d --config FILE`: the daemon in the foreground, which is what systemd starts. */
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Argv } from 'yargs'
import type { LevelWithSilent, Logger } from 'pino'
import type { ControlServer } from '../control/server.ts'
import { Daemon } from '../daemon.ts'
import { AlreadyRunning } from '../linux/claim.ts'
import { Journal, notify, notifyReloading, underJournal, watchdogInterval } from '../linux/systemd.ts'
import { chooseOutput, createLog, OUTPUTS } from '../log.ts'
import { loadConfig } from './check.ts'
import { DEFAULT_FILE } from './config-file.ts'
import { EXIT } from './exit.ts'
import { version } from './version.ts'

const LEVELS = ['error', 'warn', 'info', 'debug'] as const

export const command = '$0'
export const describe = 'run the daemon in the foreground'

const OPTIONS = {
  config: { alias: 'c', type: 'string', requiresArg: true, default: DEFAULT_FILE, describe: 'configuration file' },
  level: { choices: LEVELS, requiresArg: true, default: 'info', describe: 'least severe records to log; debug tells of every packet' },
  log: { choices: ['auto', ...OUTPUTS], requiresArg: true, default: process.env.NDP6D_LOG ?? 'auto', describe: 'where records go' },
  state: { type: 'string', requiresArg: true, default: stateDirectory(), defaultDescription: 'the one that systemd gives, else none',
    describe: 'directory where what is known about hosts is kept over restarts' },
} as const

export function builder(yargs: Argv) {
  return yargs.options(OPTIONS)
}

/** The options, when there is nothing else on the command line, and nothing to complain of; else undefined. */
export function read(args: readonly string[]): Options | undefined {
  const defaults = Object.fromEntries(Object.entries(OPTIONS).map(([name, option]) => [name, option.default]))
  try {
    const { values } = parseArgs({ args: [...args], options: {
      config: { type: 'string', short: OPTIONS.config.alias }, level: { type: 'string' }, log: { type: 'string' }, state: { type: 'string' },
    } })
    const options = { ...defaults, ...values } as Options
    const isGood = options.config !== '' && isOneOf(OPTIONS.level.choices, options.level) && isOneOf(OPTIONS.log.choices, options.log)
    return isGood ? options : undefined
  } catch {
    return undefined
  }
}

function isOneOf(choices: readonly string[], value: string): boolean { return choices.includes(value) }

/** systemd.exec(5): paths, separated by colons. */
function stateDirectory(): string | undefined {
  return process.env.STATE_DIRECTORY?.split(':')[0]
}

interface Options {
  readonly config: string
  readonly level: string
  readonly log: string
  /** Empty: nothing is kept. */
  readonly state: string | undefined
}

export async function handler({ config: file, level, log: output, state }: Options): Promise<void> {
  process.title = 'ndp6d'
  const parsed = loadConfig(file)
  if (parsed?.config === undefined) {
    process.exitCode = EXIT.config
    return
  }
  const journal = new Journal()
  const log = createLog({
    level: level as LevelWithSilent,
    output: chooseOutput(output, underJournal(), process.stdout.isTTY ?? false),
    journal: (fields) => journal.send(fields),
  })
  const release = holdSignals()
  try {
    const daemon = new Daemon(parsed.config, log, { state: state === '' ? undefined : state })
    await daemon.start()
    // First those who have asked meanwhile: what follows takes as long as hundreds of answers.
    await setImmediate()
    serve(daemon, await answerCommands(daemon, log), file, log)
    release()
  } catch (error) {
    process.exitCode = explain(error as NodeJS.ErrnoException, log)
    // Sockets may be open already: nothing more is to be waited for.
    await setImmediate()
    process.exit()
  }
}

/**
 * While the daemon starts, signals wait: they would end the process, and what is done by then would stay behind.
 * @returns what lets them through, to the listeners of then
 */
function holdSignals(): () => void {
  const held: NodeJS.Signals[] = []
  const hold = (signal: NodeJS.Signals): void => { held.push(signal) }
  const signals = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, hold)
  return () => {
    for (const signal of signals) process.off(signal, hold)
    for (const signal of held) process.emit(signal, signal)
  }
}

function serve(daemon: Daemon, control: ControlServer, file: string, log: Logger): void {
  const interval = watchdogInterval()
  const watchdog = interval === undefined ? undefined : setInterval(() => notify({ WATCHDOG: '1' }), interval)

  let stopping = false
  process.on('SIGHUP', () => {
    if (stopping) return
    notifyReloading()
    const config = loadConfig(file)?.config
    if (config === undefined) {
      log.error({ event: 'reload' }, `${file} is not good: the configuration in force stays; see \`ndp6d check ${file}\``)
    } else {
      daemon.reload(config)
      log.info({ event: 'reload' }, `reloaded ${file}`)
    }
    notify({ READY: '1' })
  })
  // Without a handler Node opens its debugger port on this signal.
  process.on('SIGUSR1', () => {
    log.info({ event: 'counters', counters: daemon.counters, ...daemon.snapshot() }, 'counters since the start')
  })
  const stop = (signal: string): void => {
    if (stopping) return
    stopping = true
    clearInterval(watchdog)
    control.close()
    notify({ STOPPING: '1' })
    daemon.stop().then(() => {
      log.info({ event: 'stop' }, `stopped (${signal})`)
      process.exit(EXIT.good)
    }, (error: Error) => {
      log.error({ err: error }, `stopped (${signal}), but not cleanly: ${error.message}`)
      process.exit(EXIT.failed)
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  // Last: whoever reads it may send a signal at once.
  log.info({ event: 'ready' }, `ready (${file})`)
  const unheard = notify({ READY: '1', STATUS: 'Answering Neighbor Solicitations' })
  if (unheard !== undefined) log.warn({ err: unheard }, `cannot tell systemd that the start is over: ${unheard.message}`)
}

async function answerCommands(daemon: Daemon, log: Logger): Promise<ControlServer> {
  const [{ ControlServer }, { controlPath }] = await Promise.all([import('../control/server.ts'), import('../control/protocol.ts')])
  const control: ControlServer = new ControlServer(controlPath(), {
    summary: () => {
      const { links, limits } = daemon.usage
      return { version: version(), pid: process.pid, uptime: process.uptime(), links, counters: daemon.counters,
        limits: [...limits, ...control.limits] }
    },
    neighbors: () => daemon.neighbors,
  }, (err) => log.warn({ event: 'control', err }, `\`ndp6d status\` cannot reach this daemon: ${err.message}`))
  return control
}

/** Says what went wrong and what to do. @returns the exit status */
function explain(error: NodeJS.ErrnoException, log: Logger): number {
  if (error instanceof AlreadyRunning) {
    log.error(error.message)
    return EXIT.failed
  }
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    log.error({ reason: error.code }, `not permitted (${error.syscall}): ndp6d needs CAP_NET_RAW and CAP_NET_ADMIN; `
      + 'run it as root, or as the systemd service')
    return EXIT.notPermitted
  }
  log.error({ err: error }, `cannot start: ${error.message}`)
  return EXIT.failed
}
