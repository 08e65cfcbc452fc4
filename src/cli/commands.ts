/** The command line: its commands, help and errors. */
import yargs from 'yargs'
import * as check from './check.ts'
import * as cleanup from './cleanup.ts'
import * as doctor from './doctor.ts'
import { EXIT } from './exit.ts'
import * as explain from './explain.ts'
import * as init from './init.ts'
import * as logLevel from './log-level.ts'
import * as metrics from './metrics.ts'
import * as monitor from './monitor.ts'
import * as reload from './reload.ts'
import * as report from './report.ts'
import * as run from './run.ts'
import * as status from './status.ts'
import { type Commands, explainUsage, refuse } from './usage-errors.ts'
import { version } from './version.ts'

/** The builder of each command by name; the empty name is the daemon. */
export const COMMANDS: Commands = { '': run.builder, check: check.builder, init: init.builder, reload: reload.builder, status: status.builder,
  doctor: doctor.builder, explain: explain.builder, monitor: monitor.builder, metrics: metrics.builder, cleanup: cleanup.builder, 'log-level': logLevel.builder, report: report.builder }

export async function runCommandLine(args: readonly string[]): Promise<void> {
  await yargs(args).scriptName('ndp6d').locale('en')
    .usage('$0 [COMMAND]\n\nAnswers IPv6 Neighbor Solicitations for hosts on another link, and maintains the routes to them.')
    .command(run.command, run.describe, run.builder, run.handler)
    .command(check.command, check.describe, check.builder, check.handler)
    .command(explain.command, explain.describe, explain.builder, explain.handler)
    .command(monitor.command, monitor.describe, monitor.builder, monitor.handler)
    .command(init.command, init.describe, init.builder, init.handler)
    .command(reload.command, reload.describe, reload.builder, reload.handler)
    .command(status.command, status.describe, status.builder, status.handler)
    .command(doctor.command, doctor.describe, doctor.builder, doctor.handler)
    .command(cleanup.command, cleanup.describe, cleanup.builder, cleanup.handler)
    .command(metrics.command, metrics.describe, metrics.builder, metrics.handler)
    .command(logLevel.command, logLevel.describe, logLevel.builder, logLevel.handler)
    .command(report.command, report.describe, report.builder, report.handler)
    .parserConfiguration({ 'duplicate-arguments-array': false })
    // The daemon (no command) needs no watch: its log does not go through process.stdout and process.stderr.
    .middleware(({ _: [command] }) => { if (command !== undefined) watchOutputs() })
    .strict()
    .version(version())
    .help()
    .fail((message, error) => {
      // An error of yargs itself is a YError. Any other error is a fault of this program.
      if (error && error.name !== 'YError') throw error
      refuse(...explainUsage(message, args, COMMANDS))
      process.exit()
    })
    .parseAsync()
}

/** Ends the process if its output cannot be written. A reader that closes a pipe early (`| head`) is no error. */
function watchOutputs(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code !== 'EPIPE') {
        process.exitCode = EXIT.failed
        if (stream === process.stdout) process.stderr.write(`ndp6d: cannot write the output: ${message}: free space, or write it elsewhere\n`)
      }
      process.exit()
    })
  }
}
