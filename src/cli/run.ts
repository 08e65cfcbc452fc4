/** `ndp6d --config FILE`: runs the daemon in the foreground, as systemd does. */
import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isatty } from 'node:tty'
import type { InferredOptionTypes } from 'yargs'
import type { Config } from '../config/config.ts'
import { renderDiagnostic } from '../config/diagnostic.ts'
import { findPlace } from '../config/places.ts'
import { ControlServer } from '../control/server.ts'
import { Daemon } from '../daemon.ts'
import type { Limit } from '../events.ts'
import { Metrics } from '../exporter/metrics.ts'
import { NativeCodeMissing } from '../linux/binaries.ts'
import { areDescriptorsFree } from '../linux/descriptors.ts'
import { isOutOfDescriptors } from '../linux/errors.ts'
import { Output } from '../linux/output.ts'
import { AlreadyRunning } from '../linux/single-instance.ts'
import { Journal, notify, notifyReloading, underJournal, watchdogInterval } from '../linux/systemd.ts'
import { RateLimitedLog } from '../log/rate-limited-log.ts'
import { chooseOutput, createLog, OUTPUTS } from '../log/outputs.ts'
import { countersSentence, droppedRecordsSentence } from '../log/sentences.ts'
import { unitStatus } from '../log/unit-status.ts'
import { Reloads } from '../reloads.ts'
import { type Level, LEVELS, logLevelReply } from '../replies/log-level.ts'
import type { DaemonState } from '../replies/meanings.ts'
import { doctorReply } from '../replies/doctor.ts'
import { explainReply } from '../replies/explain.ts'
import { monitorReply } from '../replies/monitor.ts'
import { reloadReply } from '../replies/reload.ts'
import { type Program, statusReply } from '../replies/status.ts'
import { topReply } from '../replies/top.ts'
import { loadConfig } from './check.ts'
import { ConfigFile, DEFAULT_FILE, explainUnreadable } from './config-file.ts'
import { control } from './connection.ts'
import { EXIT } from './exit.ts'
import { stateDirectory } from './service-directories.ts'
import { version } from './version.ts'

/** Longest time to write the remaining records before the process ends, milliseconds. A stalled reader delays the end by at most this time. */
const DRAIN_TIME = 500
/** File descriptors that commands leave to the daemon: for the sockets of a link, a discovery of hosts, and a file. */
const NOT_FOR_COMMANDS = 8
/** Interval of updates of the unit's status line. Milliseconds. */
const STATUS_INTERVAL = 1000

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
  const { log, outputs } = openLog(level, output)
  const configFile = new ConfigFile(file)
  const { parsed, refusal } = loadConfig(file, () => configFile.read(false))
  if (parsed === undefined) {
    // The refusal comes last, because `systemctl status` shows the last line. In the journal, the refusal has fields and an explanation.
    if (outputs.stdout === undefined) log.error({ event: 'config-refused', configFile: file }, refusal)
    else process.stderr.write(`${refusal}\n`)
    process.exitCode = EXIT.config
    return
  }
  const release = holdSignals()
  try {
    const daemon = new Daemon(parsed.config, log, { state: state === '' ? undefined : state })
    const lifecycle: Lifecycle = { state: 'starting' }
    const metrics: Metrics = new Metrics({ introspection: daemon.introspection, version: version(), log, reloads: () => reloads.counts,
      limits: () => limitsOf(outputs, server), isRoomLeft })
    const reloads = reloadsOf(configFile, parsed.config, daemon, metrics, lifecycle, log)
    const program: RunningProgram = { daemon, reloads, metrics, lifecycle, log, outputs }
    const server = answerCommands(path, program)
    // Loading the library of metrics takes a while, so it comes before the first packet.
    await Promise.all([server.opened, metrics.configure(parsed.config)])
    await daemon.start()
    serve(program, server)
    release()
  } catch (error) {
    process.exitCode = explain(error as NodeJS.ErrnoException, log)
    // Lets pending callbacks run, then exits explicitly: open sockets would keep the process alive.
    await setImmediate()
    await outputs.drained()
    process.exit()
  }
}

/** What the program does at present, for `ndp6d status`. */
interface Lifecycle { state: DaemonState }

interface RunningProgram {
  readonly daemon: Daemon
  readonly reloads: Reloads
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  readonly log: RateLimitedLog
  readonly outputs: Outputs
}

function isRoomLeft(): boolean { return areDescriptorsFree(NOT_FOR_COMMANDS) }

/** @returns the limits of the outputs and of the control server, which are not parts of the daemon */
function limitsOf({ stdout, stderr }: Outputs, server: ControlServer): Limit[] { return [stdout, stderr, server].flatMap((each) => each?.limits ?? []) }

/** Outputs of the log. Writing to an output never blocks the daemon. */
interface Outputs {
  /** Undefined while the log goes to the journal. */
  readonly stdout: Output | undefined
  readonly stderr: Output
  /** Waits until all text has been written, for DRAIN_TIME at most. */
  drained(): Promise<void>
}

function openLog(level: Level, requested: string | undefined): { log: RateLimitedLog; outputs: Outputs } {
  const output = chooseOutput(requested, underJournal(), isatty(1))
  const open = (fd: 1 | 2, name: string): Output => new Output(fd, (count, reason) =>
    log.error({ event: 'dropped', count, reason }, (sum) => droppedRecordsSentence(sum?.count ?? count, name, reason)))
  const stdout = output === 'journal' ? undefined : open(1, 'stdout')
  const stderr = open(2, 'stderr')
  const journal = new Journal(undefined, undefined, (line) => stderr.write(line))
  const log: RateLimitedLog = new RateLimitedLog(createLog({ level, output, lines: stdout, journal: (fields) => journal.send(fields) }))
  const drained = async (): Promise<void> => { await Promise.all([stdout, stderr].map((each) => each?.drained(DRAIN_TIME))) }
  return { log, outputs: { stdout, stderr, drained } }
}

/**
 * Delays signals while the daemon starts. By default, a signal would end the process and leave behind routes that never expire.
 * @returns a function that ends the delay, and passes the signals to their listeners
 */
function holdSignals(): () => void {
  const held: NodeJS.Signals[] = []
  const hold = (signal: NodeJS.Signals): void => { held.push(signal) }
  const signals = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR2'] as const
  for (const signal of signals) process.on(signal, hold)
  return () => {
    for (const signal of signals) process.off(signal, hold)
    for (const signal of held) process.emit(signal, signal)
  }
}

function reloadsOf(configFile: ConfigFile, config: Config, daemon: Daemon, metrics: Metrics, lifecycle: Lifecycle,
  log: RateLimitedLog): Reloads {
  const { path } = configFile
  const file = { path, read: () => configFile.read(), get isTouched() { return configFile.isTouched },
    explain: (error: NodeJS.ErrnoException) => explainUnreadable(path, error) }
  let former = lifecycle.state
  const began = (): void => {
    former = lifecycle.state
    lifecycle.state = 'reloading'
    // Before the daemon serves, systemd is not notified: the READY=1 that ends a reload would also report the start as complete.
    if (former === 'serving') notifyReloading()
  }
  const ended = (): void => {
    lifecycle.state = former
    if (former === 'serving') notify({ READY: '1', STATUS: statusLine(daemon, reloads) })
  }
  const reload = (config: Config): void => {
    daemon.reload(config)
    void metrics.configure(config)
  }
  const reloads: Reloads = new Reloads({ file, config, daemon: { preview: (config) => daemon.preview(config), reload }, log, began, ended })
  return reloads
}

/** @returns the line that `systemctl status` shows */
function statusLine({ introspection }: Daemon, reloads: Reloads): string {
  return [unitStatus(introspection.serving), reloads.remark].filter((part) => part !== undefined).join('; ')
}

function serve({ daemon, reloads, metrics, lifecycle, log, outputs }: RunningProgram, server: ControlServer): void {
  const interval = watchdogInterval()
  const watchdog = interval === undefined ? undefined : setInterval(() => notify({ WATCHDOG: '1' }), interval)

  const statusTimer = keepUnitStatus(daemon, reloads)

  process.on('SIGHUP', () => {
    if (lifecycle.state === 'stopping') return
    const { problems, unreadable } = reloads.hangup()
    for (const problem of problems) outputs.stderr.write(`${renderDiagnostic(problem)}\n`)
    if (unreadable !== null) outputs.stderr.write(`ndp6d: ${unreadable}\n`)
  })
  process.on('SIGUSR1', () => {
    const { counters } = daemon.introspection
    log.info({ event: 'counters', counters, ...daemon.introspection.snapshot() }, countersSentence(counters))
  })
  const stop = (signal: string): void => {
    if (lifecycle.state === 'stopping') return
    lifecycle.state = 'stopping'
    clearInterval(watchdog)
    clearInterval(statusTimer)
    reloads.stop()
    metrics.close()
    notify({ STOPPING: '1' })
    const isRestart = signal === 'SIGUSR2'
    daemon.stop(isRestart).then(() => {
      log.flush()
      log.info({ event: 'stop' }, `stopped by ${signal}${isRestart ? ' for a restart: the host routes stay meanwhile' : ''}`)
      return EXIT.good
    }, (error: Error) => {
      log.error({ event: 'stop-failed', reason: error.message, err: error }, `stopped by ${signal}, but routes or settings may be left: ${error.message}`)
      return EXIT.failed
    }).then(async (status) => {
      server.close()
      await outputs.drained()
      process.exit(status)
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGUSR2', stop)

  lifecycle.state = 'serving'
  // Logged after the handlers are set, because a reader of this line may send a signal at once.
  log.info({ event: 'ready' }, `ready, with the configuration ${reloads.file}`)
  const failed = notify({ READY: '1', STATUS: statusLine(daemon, reloads) })
  if (failed !== undefined) log.warn({ event: 'notify', reason: failed.message, err: failed }, `cannot notify systemd that the start is complete: ${failed.message}`)
}

/** Sends the unit's status line whenever it has changed. */
function keepUnitStatus(daemon: Daemon, reloads: Reloads): NodeJS.Timeout | undefined {
  if (!process.env.NOTIFY_SOCKET) return undefined
  let last = ''
  return setInterval(() => {
    const STATUS = statusLine(daemon, reloads)
    if (STATUS !== last && notify({ STATUS }) === undefined) last = STATUS
  }, STATUS_INTERVAL)
}

function answerCommands(path: string, { daemon: { introspection }, reloads, metrics, lifecycle, log, outputs }: RunningProgram): ControlServer {
  const startedAt = new Date(Date.now() - 1000 * process.uptime()).toISOString()
  const program = (): Program => ({ version: version(), pid: process.pid, startedAt, ...lifecycle, file: resolve(reloads.file), reload: reloads.state, findings: introspection.findings,
    limits: limitsOf(outputs, server) })
  const server: ControlServer = new ControlServer(path, {
    replies: {
      'status': (request) => statusReply(introspection, program(), request),
      'reload': (request) => reloadReply(reloads, request),
      'doctor': () => doctorReply(introspection, resolve(reloads.file)),
      'explain': (request, closed) => explainReply(request, { daemon: introspection, place: (statement) => findPlace(introspection.config, statement) }, closed),
      'monitor': (request, closed) => monitorReply(request, introspection, closed),
      'top': (_, closed) => topReply(introspection, closed),
      'log-level': (request) => logLevelReply(log, request),
      'metrics': () => [{ reading: metrics.reading }],
    },
    failed: (err) => log.warn({ event: 'control', reason: err.message, err }, `\`ndp6d status\` cannot connect to this daemon: ${err.message}`),
    isRoomLeft,
  })
  return server
}

/** Logs why the start failed, and what to do. @returns the exit status */
function explain(error: NodeJS.ErrnoException, log: RateLimitedLog): number {
  if (error instanceof AlreadyRunning || error instanceof NativeCodeMissing) {
    log.error({ event: 'start-failed', reason: error instanceof AlreadyRunning ? 'already running' : 'native code' }, error.message)
    return EXIT.failed
  }
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    log.error({ event: 'start-failed', reason: error.code }, `not permitted (${error.syscall}): ndp6d needs CAP_NET_RAW and CAP_NET_ADMIN; `
      + 'run it as root, or as the systemd service')
    return EXIT.notPermitted
  }
  if (isOutOfDescriptors(error)) {
    log.error({ event: 'start-failed', reason: error.code! }, `cannot start: too many open files (${error.syscall}); raise \`LimitNOFILE=\` of the unit, or \`ulimit -n\``)
    return EXIT.failed
  }
  log.error({ event: 'start-failed', reason: error.message, err: error }, `cannot start: ${error.message}`)
  return EXIT.failed
}
