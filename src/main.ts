/** Hands a command line to the commands. */
import { obey } from './cli/commands.ts'
import type { LoadYargs } from './cli/commands.ts'
import * as run from './cli/run.ts'

/** That of a service is read without yargs, which takes as long to load as Node itself, and some of its memory for good. */
export async function main(args: readonly string[], loadYargs: LoadYargs): Promise<void> {
  const options = run.read(args)
  await (options === undefined ? obey(args, loadYargs) : run.handler(options))
}
