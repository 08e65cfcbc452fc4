/** A real systemd in the network namespace of a lab host, by `systemd-lab.sh`. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host } from './lab.ts'
import { until } from '../../kit/until.ts'
import type { Proc } from './process.ts'

/** The package's own directory, seen from dist/test/lab/kit. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..')
const SCRIPT = join(ROOT, 'test', 'lab', 'kit', 'systemd-lab.sh')

export interface Done {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** @returns whether systemd can boot: it needs cgroups and devices, which root of a user namespace does not have */
export function canBoot(): boolean { return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8')) }

export class Systemd {
  readonly #proc: Proc
  readonly #pid: string

  /** Use {@link Systemd.boot}. @param pid of its PID 1, as seen from here */
  constructor(proc: Proc, pid: string) {
    this.#proc = proc
    this.#pid = pid
  }

  /** Boots systemd, in about half a second. @param binds `SOURCE:TARGET`, shown read-only inside @throws Error with its output */
  static async boot(host: Host, binds: readonly string[]): Promise<Systemd> {
    const proc = host.spawn(['sh', SCRIPT, ...binds])
    const [, pid] = (await proc.line(/^pid \d+$/)).split(' ')
    const systemd = new Systemd(proc, pid)
    await until(() => systemd.run(['systemctl', 'is-active', '-q', 'lab.target']).status === 0)
    return systemd
  }

  /** Runs a program inside and waits. */
  run(argv: readonly string[], input = ''): Done {
    return spawnSync('nsenter', ['--target', this.#pid, '--all', '--wd=/', '--', ...argv], { encoding: 'utf8', input, maxBuffer: 2 ** 26 })
  }

  /** @returns its stdout @throws Error with its stderr when it fails */
  exec(...argv: string[]): string {
    const { status, stdout, stderr } = this.run(argv)
    if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}: ${stderr || stdout}`)
    return stdout
  }

  write(path: string, text: string): void {
    const { status, stderr } = this.run(['sh', '-c', 'cat >"$1"', 'sh', path], text)
    if (status !== 0) throw new Error(`${path}: ${stderr}`)
  }

  /** One property of a unit, as systemctl(1) shows it. */
  show(unit: string, property: string): string { return this.exec('systemctl', 'show', '--value', '--property', property, unit).trim() }

  /** The journal's entries that match, for instance `NDP_EVENT=link`. */
  journal(...matches: string[]): Record<string, string>[] {
    const lines = this.exec('journalctl', '--no-pager', '--output=json', ...matches).split('\n')
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, string>)
  }

  async close(): Promise<void> { await this.#proc.stop('SIGTERM') }
}
