/**
 * Keeps Node's debugger closed. Node opens it on SIGUSR1, on a port of the loopback interface, as long as the program does not handle
 * that signal: every local user could then run code with the capabilities of the daemon. main.ts imports this module before all others.
 *
 * A signal that arrives while Node itself starts, before any module, still opens the port for a moment. The unit closes this gap by
 * an address on which Node cannot listen (NODE_OPTIONS, `--inspect-port`).
 */
import inspector from 'node:inspector'

/** Milliseconds after which the debugger is closed again: a signal that came before this module was loaded may open it late. */
const LATE = [0, 20, 200]

process.on('SIGUSR1', () => {})
if (!process.execArgv.some((option) => /^--inspect(?!-port)/.test(option))) {
  close()
  for (const delay of LATE) setTimeout(close, delay).unref()
}

/** Closes the debugger if it listens. */
function close(): void { if (inspector.url() !== undefined) inspector.close() }
