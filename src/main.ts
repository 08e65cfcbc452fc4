#!/usr/bin/env node
/** Passes the command line to the commands. */
import { runCommandLine } from './cli/commands.ts'

void runCommandLine(process.argv.slice(2))
