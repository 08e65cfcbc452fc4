/** `ndp6d --config FILE`: runs the daemon in the foreground, as systemd does. */
import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isatty } from 'node:tty'
import type { Logger } from 'pino'
import type { InferredOptionTypes } from 'yargs'
import { ControlServer } from '../control/server.ts'
import { Daemon } from '../daemon.ts'
import { areDescriptorsFree } from '../linux/descriptors.ts'
import { isOutOfDescriptors } from '../linux/errors.ts'
import { Output } from '../linux/output.ts'
import { AlreadyRunning } from '../linux/single-instance.ts'
import { Journal, notify, notifyReloading, underJournal, watchdogInterval } from '../linux/systemd.ts'
import { chooseOutput, createLog, OUTPUTS } from '../log/outputs.ts'
import { countersSentence, droppedRecordsSentence } from '../log/sentences.ts'
import { doctorReply } from '../replies/doctor.ts'
import { statusReply, type Summary } from '../replies/status.ts'
import { loadConfig } from './check.ts'
import { DEFAULT_FILE } from './config-file.ts'
import { control } from './connection.ts'
import { EXIT } from './exit.ts'
import { stateDirectory } from './service-directories.ts'
import { version } from './version.ts'

/** Milliseconds at most to write the last records: a reader that stalls must not delay a stop. */
const DRAIN_TIME = 500
/** File descriptors that commands leave to the daemon: for the sockets of a link, a discovery of hosts, and a file. */
const NOT_FOR_COMMANDS = 8
const LEVELS = ['error', 'warn', 'info', 'debug'] as const

export const command = '$0'
export const describe = 'run the daemon in the foreground'

export const builder = {
  config: { alias: 'c', type: 'string', requiresArg: true, default: DEFAULT_FILE, describe: 'configuration file' },
  control,
  level: { choices: LEVELS, requiresArg: true, default: 'info', describe: 'lowest level of the records to log; debug has every packet' },
  log: { choices: ['auto', ...OUTPUTS], requiresArg: true, default: process.env.NDP6D_LOG ?? 'auto', describe: 'output of the log' },
  state: { type: 'string', requiresArg: true, default: stateDirectory(), defaultDescription: 'StateDirectory= of the unit, else none',
    describe: 'directory in which learned hosts are kept over restarts; an empty name keeps none' },
} as const

export async function handler({ config: file, control: path, level, log: output, state }: InferredOptionTypes<typeof builder>): Promise<void> {
  process.title = 'ndp6d'
  const parsed = loadConfig(file)
  if (parsed?.config === undefined) {
    process.exitCode = EXIT.config
    return
  }
  const { log, outputs } = openLog(level, output)
  const release = holdSignals()
  try {
    const daemon = new Daemon(parsed.config, log, { state: state === '' ? undefined : state })
    await daemon.start()
    const server = answerCommands(path, daemon, file, log, outputs)
    await server.opened
    serve(daemon, server, file, log, outputs)
    release()
  } catch (error) {
    process.exitCode = explain(error as NodeJS.ErrnoException, log)
    // Lets pending callbacks run, then exits explicitly: open sockets would keep the process alive.
    await setImmediate()
    await outputs.drained()
    process.exit()
  }
}

/** Outputs of the log. Writing to an output never blocks the daemon. */
interface Outputs {
  /** Undefined while the log goes to the journal. */
  readonly stdout: Output | undefined
  readonly stderr: Output
  /** Waits until all text has been written, for DRAIN_TIME at most. */
  drained(): Promise<void>
}

function openLog(level: (typeof LEVELS)[number], requested: string | undefined): { log: Logger; outputs: Outputs } {
  const output = chooseOutput(requested, underJournal(), isatty(1))
  const open = (fd: 1 | 2, name: string): Output => new Output(fd, (count, reason) =>
    log.error({ event: 'dropped', count, reason }, droppedRecordsSentence(count, name, reason)))
  const stdout = output === 'journal' ? undefined : open(1, 'stdout')
  const stderr = open(2, 'stderr')
  const journal = new Journal(undefined, undefined, (line) => stderr.write(line))
  const log: Logger = createLog({ level, output, lines: stdout, journal: (fields) => journal.send(fields) })
  const drained = async (): Promise<void> => { await Promise.all([stdout, stderr].map((each) => each?.drained(DRAIN_TIME))) }
  return { log, outputs: { stdout, stderr, drained } }
}

/**
 * Delays signals while the daemon starts: by default a signal ends the process, and routes that never expire stay behind.
 * @returns a function that ends the delay, and passes the signals to their listeners
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

function serve(daemon: Daemon, server: ControlServer, file: string, log: Logger, outputs: Outputs): void {
  const interval = watchdogInterval()
  const watchdog = interval === undefined ? undefined : setInterval(() => notify({ WATCHDOG: '1' }), interval)

  let stopping = false
  process.on('SIGHUP', () => {
    if (stopping) return
    notifyReloading()
    const config = loadConfig(file, true, (text) => outputs.stderr.write(text))?.config
    if (config === undefined) {
      log.error({ event: 'reload' }, `${file} has errors: the former configuration stays in force; see \`ndp6d check ${file}\``)
    } else {
      daemon.reload(config)
      log.info({ event: 'reload' }, `reloaded ${file}`)
    }
    notify({ READY: '1' })
  })
  process.on('SIGUSR1', () => {
    const { counters } = daemon
    log.info({ event: 'counters', counters, ...daemon.snapshot() }, countersSentence(counters))
  })
  const stop = (signal: string): void => {
    if (stopping) return
    stopping = true
    clearInterval(watchdog)
    server.close()
    notify({ STOPPING: '1' })
    daemon.stop().then(() => {
      log.info({ event: 'stop' }, `stopped by ${signal}`)
      return EXIT.good
    }, (error: Error) => {
      log.error({ err: error }, `stopped by ${signal}, but routes or settings may be left: ${error.message}`)
      return EXIT.failed
    }).then(async (status) => {
      await outputs.drained()
      process.exit(status)
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  // Logged after the handlers are set, because a reader of this line may send a signal at once.
  log.info({ event: 'ready' }, `ready, with the configuration ${file}`)
  const failed = notify({ READY: '1', STATUS: 'Answering Neighbor Solicitations' })
  if (failed !== undefined) log.warn({ err: failed }, `cannot notify systemd that the start is complete: ${failed.message}`)
}

function answerCommands(path: string, daemon: Daemon, file: string, log: Logger, { stdout, stderr }: Outputs): ControlServer {
  const summary = (): Summary => {
    const { links, limits } = daemon.usage
    return { version: version(), pid: process.pid, uptime: process.uptime(), links, counters: daemon.counters,
      limits: [...limits, ...[stdout, stderr, server].flatMap((each) => each?.limits ?? [])] }
  }
  const server: ControlServer = new ControlServer(path, {
    replies: {
      status: () => statusReply({ summary, neighbors: () => daemon.neighbors }),
      doctor: () => doctorReply(daemon, resolve(file)),
    },
    failed: (err) => log.warn({ event: 'control', err }, `\`ndp6d status\` cannot connect to this daemon: ${err.message}`),
    isRoomLeft: () => areDescriptorsFree(NOT_FOR_COMMANDS),
  })
  return server
}

/** Logs why the start failed, and what to do. @returns the exit status */
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
  if (isOutOfDescriptors(error)) {
    log.error({ reason: error.code }, `cannot start: too many open files (${error.syscall}); raise \`LimitNOFILE=\` of the unit, or \`ulimit -n\``)
    return EXIT.failed
  }
  log.error({ err: error }, `cannot start: ${error.message}`)
  return EXIT.failed
}
