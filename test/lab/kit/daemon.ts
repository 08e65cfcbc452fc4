/** The real daemon in a lab host: started from the bundle, observed by its log (one JSON record a line). */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host, Lab } from './lab.ts'
import { until } from '../../kit/until.ts'
import type { Proc } from './process.ts'

export const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'ndp6d.cjs')

export type LogRecord = { readonly msg: string } & Readonly<Record<string, unknown>>

/** @returns the record of a log line; a line that is not JSON (a crash, a warning of Node) becomes the message */
export function parseRecord(line: string): LogRecord {
  try {
    return JSON.parse(line) as LogRecord
  } catch {
    return { msg: line }
  }
}

export interface DaemonOptions {
  /** Directory of hosts.json; default: none. */
  readonly state?: string
  /** Log level; default: info. */
  readonly level?: 'info' | 'debug'
}

export class Daemon {
  readonly proc: Proc
  readonly configFile: string

  /** Starts the daemon. @see ready */
  constructor(lab: Lab, host: Host, config: string, { state = '', level = 'info' }: DaemonOptions = {}) {
    if (!existsSync(MAIN)) throw new Error('the daemon is not built: npm run build')
    const directory = join(lab.directory, host.name)
    mkdirSync(directory, { recursive: true })
    this.configFile = join(directory, 'ndp6d.conf')
    writeFileSync(this.configFile, config)
    this.proc = host.spawn([process.execPath, MAIN, '--config', this.configFile, '--state', state, '--level', level],
      { RUNTIME_DIRECTORY: directory, NOTIFY_SOCKET: '', NO_COLOR: '1' })
  }

  get records(): LogRecord[] { return this.proc.lines.map(parseRecord) }

  /** Waits until it is ready. @throws Error with its log when it ends or is not ready within `limit` milliseconds */
  async ready(limit = 30_000): Promise<this> {
    await this.proc.line(/\bready\b/i, limit)
    return this
  }

  /** Reloads (SIGHUP) with another configuration. */
  reload(config: string): void {
    writeFileSync(this.configFile, config)
    this.proc.child.kill('SIGHUP')
  }

  /** @returns packets by outcome since the start, as logged on SIGUSR1 */
  async counters(): Promise<Record<string, number>> {
    const from = this.proc.lines.length
    this.proc.child.kill('SIGUSR1')
    const record = await until(() => this.records.slice(from).find((r) => typeof r.counters === 'object'))
    return record.counters as Record<string, number>
  }

  /** @returns its private memory, in MiB (proc_pid_status(5)) */
  memory(): number { return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${this.proc.pid}/status`, 'utf8'))?.[1]) / 1024 }
  /** @param signal SIGUSR2: for a restart, which keeps the host routes */
  stop(signal: 'SIGTERM' | 'SIGUSR2' = 'SIGTERM'): Promise<number | string> { return this.proc.stop(signal) }
  kill(): Promise<number | string> { return this.proc.stop('SIGKILL') }
}
