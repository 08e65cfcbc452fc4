/**
 * Keeps Node's debugger closed. If a program does not handle SIGUSR1, Node opens the debugger on this signal, on a loopback port. Every
 * local user could then run code with the capabilities of the daemon. main.ts imports this module before all others.
 *
 * A signal that arrives while Node itself starts, before it loads any module, still opens the port for a moment. The unit closes this gap
 * by an address on which Node cannot listen (NODE_OPTIONS, `--inspect-port`).
 */
import inspector from 'node:inspector'

/** When to close the debugger again, milliseconds after the load of this module. A signal before the load may open the debugger late. */
const LATE = [0, 20, 200]

process.on('SIGUSR1', () => {})
if (!process.execArgv.some((option) => /^--inspect(?!-port)/.test(option))) {
  close()
  for (const delay of LATE) setTimeout(close, delay).unref()
}

/** Closes the debugger if it listens. */
function close(): void { if (inspector.url() !== undefined) inspector.close() }
