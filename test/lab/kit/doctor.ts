/** `ndp6d doctor` in a lab: a table of faults, each of which is made, found alone, mended as printed, and gone. */
import type { Test } from 'tap'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG, type Scene } from './scene.ts'
import { type Daemon, MAIN } from './daemon.ts'

export interface CheckResult {
  readonly code: string
  readonly status: 'ok' | 'finding' | 'unknown'
  readonly severity: string
  readonly what: string | null
  readonly mend: string | null
  readonly mendIn: string | null
}

export interface Fault {
  readonly code: string
  readonly name?: string
  /** Default: CONFIG. */
  readonly config?: string
  /** Whether the daemon runs: `both` looks without it first. */
  readonly daemon?: 'both' | 'only' | 'none'
  /** Makes the fault, before the daemon starts. */
  make?(stage: Scene): void | Promise<void>
  /** Traffic that shows the fault, while the daemon runs. */
  provoke?(stage: Scene): void | Promise<void>
  /** What the finding says. */
  readonly what: RegExp
  /** The statement of the configuration that the printed line replaces; default: the printed command is run. */
  readonly replaces?: RegExp
  /** Mends what no command on this machine can, before the printed one is run. */
  repair?(stage: Scene): void | Promise<void>
  /** Takes away what the mend leaves. */
  undo?(stage: Scene): void | Promise<void>
  /** Words before the command line of the doctor. */
  readonly prefix?: readonly string[]
}

const fileOf = ({ lab }: Scene): string => join(lab.directory, 'proxy', 'ndp6d.conf')

/** Runs `ndp6d doctor` in the proxy. */
export function doctor(stage: Scene, args: readonly string[] = [], prefix: readonly string[] = []): { status: number; stdout: string } {
  const socket = join(stage.lab.directory, 'proxy', 'control.sock')
  const script = '"$@"; echo "status $?"'
  const stdout = stage.proxy.run([...prefix, 'sh', '-c', script, 'sh', process.execPath, MAIN, 'doctor',
    '--control', socket, '--config', fileOf(stage), ...args])
  const [, text, status] = /^([^]*)status (\d+)\n$/.exec(stdout)!
  return { status: Number(status), stdout: text }
}

export function checks(stage: Scene, prefix: readonly string[] = []): { status: number; results: CheckResult[]; findings: CheckResult[] } {
  const { status, stdout } = doctor(stage, ['--json'], prefix)
  const { checks: results } = JSON.parse(stdout) as { checks: CheckResult[] }
  return { status, results, findings: results.filter((result) => result.status === 'finding') }
}

/** Asserts that nothing is wrong. */
export function isHealthy(t: Test, stage: Scene, when: string): void {
  const { status, findings } = checks(stage)
  t.same(findings.map(({ code, what }) => `${code}: ${what}`), [], when)
  t.equal(status, 0, `${when}: exit status`)
}

/** Makes the fault in a healthy scene, and leaves the scene healthy. */
export async function isFoundAndMended(t: Test, stage: Scene, fault: Fault): Promise<void> {
  const { code, config = CONFIG, daemon: when = 'both', what, replaces, prefix = [] } = fault
  const { proxy, lab } = stage
  mkdirSync(join(lab.directory, 'proxy'), { recursive: true })
  writeFileSync(fileOf(stage), config)
  // Routes of the previous daemon last for `grace`.
  proxy.exec('ip', '-6', 'route', 'flush', 'proto', '136')
  await fault.make?.(stage)
  const look = (name: string): CheckResult => {
    const { status, findings } = checks(stage, prefix)
    t.same(findings.map((finding) => finding.code), [code], `${name}: this finding and no other`)
    t.equal(status, 1, `${name}: exit status`)
    t.match(findings[0]?.what, what)
    return findings[0]
  }
  let finding = when === 'only' ? undefined : look('without a daemon')
  let daemon: Daemon | undefined
  if (when !== 'none') {
    daemon = await stage.start(config)
    await fault.provoke?.(stage)
    finding = look('with a daemon')
  }
  const mend = String(finding?.mend)
  await fault.repair?.(stage)
  if (replaces === undefined) {
    t.equal(finding?.mendIn, 'shell')
    proxy.exec(...prefix, 'sh', '-c', mend)
  } else {
    const mended = config.replace(replaces, mend)
    t.not(mended, config, `the line \`${mend}\``)
    writeFileSync(fileOf(stage), mended)
    if (daemon !== undefined) {
      daemon.reload(mended)
      await daemon.proc.line(/reloaded/)
    }
  }
  isHealthy(t, stage, 'mended')
  await daemon?.stop()
  await fault.undo?.(stage)
}
