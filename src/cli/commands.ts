/** The command line: its commands, help and errors. */
import yargs from 'yargs'
import * as check from './check.ts'
import * as doctor from './doctor.ts'
import { EXIT } from './exit.ts'
import * as run from './run.ts'
import * as status from './status.ts'
import { version } from './version.ts'

export async function runCommandLine(args: readonly string[]): Promise<void> {
  await yargs(args).scriptName('ndp6d').locale('en')
    .usage('$0 [COMMAND]\n\nAnswers IPv6 Neighbor Solicitations for hosts on another link, and keeps their routes.')
    .command(run.command, run.describe, run.builder, run.handler)
    .command(check.command, check.describe, check.builder, check.handler)
    .command(doctor.command, doctor.describe, doctor.builder, doctor.handler)
    .command(status.command, status.describe, status.builder, status.handler)
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .strict()
    .version(version())
    .help()
    .fail((message, error) => {
      // yargs passes its own errors (YError) here too; all others are thrown.
      if (error && error.name !== 'YError') throw error
      process.stderr.write(`ndp6d: ${message}\nTry \`ndp6d --help\`.\n`)
      process.exit(EXIT.usage)
    })
    .parseAsync()
}
