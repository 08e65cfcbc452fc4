#!/usr/bin/env node
/** Hands the command line to the commands. */
import { readFileSync } from 'node:fs'
import yargs from 'yargs'
import * as check from './cli/check.ts'
import { EXIT } from './cli/exit.ts'
import * as run from './cli/run.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

await yargs(process.argv.slice(2))
  .scriptName('ndp6d')
  .locale('en')
  .usage('$0 [COMMAND]\n\nAnswers IPv6 Neighbor Solicitations for hosts on another link, and keeps their routes.')
  .command(run.command, run.describe, run.builder, run.handler)
  .command(check.command, check.describe, check.builder, check.handler)
  .parserConfiguration({ 'duplicate-arguments-array': false })
  .strict()
  .version(version)
  .help()
  .fail((message, error) => {
    // Yargs gives its own complaints either way.
    if (error && error.name !== 'YError') throw error
    process.stderr.write(`ndp6d: ${message}\nTry \`ndp6d --help\`.\n`)
    process.exit(EXIT.usage)
  })
  .parseAsync()
