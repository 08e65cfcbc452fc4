#!/usr/bin/env node
/** Passes the command line to the commands. */
// Before all other modules, which take a while.
import './cli/debugger.ts'
import { runCommandLine } from './cli/commands.ts'

void runCommandLine(process.argv.slice(2))
