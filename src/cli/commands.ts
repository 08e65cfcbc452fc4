/** The command line in full: help, complaints, and every command. */
import * as check from './check.ts'
import { EXIT } from './exit.ts'
import * as run from './run.ts'
import { version } from './version.ts'

/** Code that was kept cannot import anything by itself: see ../code.ts. */
export type LoadYargs = () => Promise<typeof import('yargs')>

/** Carries out a command line. */
export async function obey(args: readonly string[], loadYargs: LoadYargs): Promise<void> {
  const { default: yargs } = await loadYargs()
  await yargs(args)
    .scriptName('ndp6d')
    .locale('en')
    .usage('$0 [COMMAND]\n\nAnswers IPv6 Neighbor Solicitations for hosts on another link, and keeps their routes.')
    .command(run.command, run.describe, run.builder, run.handler)
    .command(check.command, check.describe, check.builder, check.handler)
    // Loaded when it is wanted: a service's start has no use for it.
    .command('status', 'show links, neighbors and their routes, counters and limits of the running daemon',
      { json: { type: 'boolean', default: false, describe: 'as one JSON document' } }, async ({ json }) => (await import('./status.ts')).handler(json))
    .parserConfiguration({ 'duplicate-arguments-array': false })
    .strict()
    .version(version())
    .help()
    .fail((message, error) => {
      // Yargs gives its own complaints either way.
      if (error && error.name !== 'YError') throw error
      process.stderr.write(`ndp6d: ${message}\nTry \`ndp6d --help\`.\n`)
      process.exit(EXIT.usage)
    })
    .parseAsync()
}
