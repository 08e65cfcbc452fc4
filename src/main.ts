#!/usr/bin/env node
/**
 * Hands the command line to the commands. That of a service is read without yargs, which takes as long to load as Node
 * itself, and some of its memory for good.
 */
import * as run from './cli/run.ts'

const options = run.read(process.argv.slice(2))
if (options !== undefined) void run.handler(options)
else void import('./cli/commands.ts').then(({ obey }) => obey(process.argv.slice(2)))
