/** `ndp6d cleanup`: removes what a daemon left in the kernel. For use after a daemon was killed, or before ndp6d is uninstalled. */
import { once } from 'node:events'
import { rmdirSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { removeSocket } from '../control/socket-file.ts'
import { hasNetAdmin } from '../linux/capabilities.ts'
import { type Removed, removeLeftovers } from '../linux/leftovers.ts'
import { AlreadyRunning } from '../linux/single-instance.ts'
import { StateFile } from '../state-file.ts'
import { control } from './connection.ts'
import { EXIT } from './exit.ts'
import { stateDirectory } from './service-directories.ts'

export const command = 'cleanup'
export const describe = 'remove routes, nftables table and settings that a daemon left behind'
export const builder = {
  control,
  state: { type: 'string', requiresArg: true, default: stateDirectory() ?? '/var/lib/ndp6d', describe: 'state directory of the daemon' },
} as const

export async function handler({ control: path, state }: { control: string; state: string }): Promise<void> {
  if (!hasNetAdmin()) return fail('not permitted to change routes: run this command as root (`sudo ndp6d cleanup`)', EXIT.notPermitted)
  try {
    const stateFile = new StateFile(state, (message) => process.stderr.write(`ndp6d: ${message}\n`))
    const removed = await removeLeftovers(state, () => stateFile.readAdvertised())
    if (removed.withdrawn.length > 0) stateFile.writeAdvertised({ links: [], prefixes: [] })
    if (!await isListening(path)) removeFiles(path)
    process.stdout.write(report(removed))
    const { failures: [failure] } = removed
    if (failure !== undefined) fail(`cannot remove the route of ${failure.change.route.target}: ${failure.error.message}`, EXIT.failed)
  } catch (error) {
    fail(error instanceof AlreadyRunning ? 'a daemon runs in this network namespace: stop it first (`systemctl stop ndp6d`)'
      : (error as Error).message, EXIT.failed)
  }
}

function report({ routes, settings, withdrawn }: Removed): string {
  const lines = settings.map(({ iface, setting, from, to }) => `net.ipv6.conf.${iface}.${setting} set from ${from} to ${to}`)
  lines.push(...withdrawn.map((link) => `default route and prefixes of the hosts on ${link} withdrawn`))
  if (routes > 0) lines.unshift(`${routes} host route${routes === 1 ? '' : 's'} removed`)
  return `${lines.length === 0 ? 'nothing to remove' : lines.join('\n')}\n`
}

/**
 * @returns whether a daemon listens on this socket. Such a daemon is in another network namespace, because {@link removeLeftovers} found no
 *   daemon in this one
 */
async function isListening(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Removes the control socket of a daemon that was killed, and its directory. */
function removeFiles(path: string): void {
  try {
    removeSocket(path)
    rmdirSync(dirname(path))
  } catch {
    // Another socket is in the directory, or there is no directory, or the path names no socket.
  }
}

function fail(message: string, status: number): void {
  process.stderr.write(`ndp6d: ${message}\n`)
  process.exitCode = status
}
