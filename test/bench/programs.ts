/** The programs that the bench compares, and how each is started from its configuration. */
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MAIN } from '../lab/kit/daemon.ts'
import type { Host } from '../lab/kit/lab.ts'
import type { Proc } from '../lab/kit/process.ts'

/** `node` is a bare Node that does nothing: the lower limit of what a program in Node costs. */
export const PROGRAMS = ['ndp6d', 'ndppd', 'npd6', 'kernel', 'node'] as const
export type Program = (typeof PROGRAMS)[number]

/** Milliseconds for ndp6d to be ready. */
const START_LIMIT = 60_000

/** Starts a program. @param file holds its configuration @param flags for Node @returns undefined for the kernel, which needs no process */
type Start = (host: Host, file: string, flags: readonly string[]) => Promise<Proc | undefined>

export const START: Readonly<Record<Program, Start>> = {
  ndp6d: async (host, file, flags) => {
    const proc = host.spawn([process.execPath, ...flags, MAIN, '--config', file, '--state', ''],
      { RUNTIME_DIRECTORY: dirname(file), NOTIFY_SOCKET: '', NO_COLOR: '1' })
    await proc.line(/\bready\b/i, START_LIMIT)
    return proc
  },
  ndppd: (host, file) => start(host, ['ndppd', '-c', file]),
  npd6: (host, file) => start(host, ['npd6', '-f', '-l', '/dev/null', '-c', file]),
  kernel: async (host, file) => {
    host.sysctl({ 'conf/eth0/proxy_ndp': 1 })
    host.exec('ip', '-6', '-batch', file)
    return undefined
  },
  node: async (host) => host.spawn([process.execPath, '-e', 'setInterval(() => {}, 1e6)']),
}

/** ndppd and npd6 report no readiness; the load before each measurement covers the rest of their start. */
async function start(host: Host, argv: readonly string[]): Promise<Proc> {
  const proc = host.spawn(argv)
  await sleep(300)
  if (!proc.running) throw new Error(`${argv.join(' ')} ended:\n${proc.lines.join('\n')}`)
  return proc
}

/** Why a program cannot take part on this machine; undefined when it can. */
export function missing(name: Program | 'bird' | 'python3'): string | undefined {
  if (name === 'kernel' || name === 'node') return undefined
  if (name === 'ndp6d') return existsSync(MAIN) ? undefined : 'not built'
  const found = (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, name)))
  return found ? undefined : 'not installed'
}
