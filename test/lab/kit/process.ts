/** Child processes of a lab: read line by line, ended by their id, never outliving the lab. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { until } from '../../kit/until.ts'

export class Proc {
  readonly child: ChildProcess
  /** Lines of stdout and stderr so far. */
  readonly lines: string[] = []
  /** Exit status, or the name of the signal that ended it. */
  readonly exited: Promise<number | string>
  onLine: ((line: string) => void) | undefined

  /** Starts `argv`. The kernel sends it SIGKILL when this process ends (prctl(2), PR_SET_PDEATHSIG). */
  constructor(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env }, detached: true })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream! }).on('line', (line) => {
        this.lines.push(line)
        this.onLine?.(line)
      })
    }
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => { this.lines.push(String(error)); resolve(error.message) })
      this.child.on('exit', (code, signal) => {
        const status = code ?? signal ?? 'unknown'
        this.child.on('close', () => resolve(status))
        setTimeout(resolve, 500, status)      // children of it may keep the pipes open
      })
    })
  }

  get pid(): number { return this.child.pid ?? 0 }
  get running(): boolean { return this.child.exitCode === null && this.child.signalCode === null }

  /**
   * Waits for a line that matches; it may be there already. @param limit milliseconds @param from index into `lines`
   * @throws Error with all lines when there is none
   */
  async line(pattern: RegExp, limit = 30_000, from = 0): Promise<string> {
    const found = () => this.lines.slice(from).find((line) => pattern.test(line))
    await until(() => found() !== undefined || !this.running, limit).catch(() => {})
    const line = found()
    if (line === undefined) throw new Error(`it ${this.running ? 'runs' : 'ended'} without a line ${pattern}:\n${this.lines.join('\n')}`)
    return line
  }

  /** Sends `signal`, after `limit` milliseconds SIGKILL, and waits for the end. @returns the value of `exited` */
  async stop(signal: NodeJS.Signals = 'SIGTERM', limit = 20_000): Promise<number | string> {
    if (this.running) this.child.kill(signal)
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limit)
    const status = await this.exited
    clearTimeout(timer)
    return status
  }
}
