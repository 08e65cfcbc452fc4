#!/usr/bin/env node
/** Passes the command line to the commands. */
// Must be the first import. Until debugger.ts is loaded, a signal can open Node's debugger, and loading the other modules takes a while.
import './cli/debugger.ts'
import { runCommandLine } from './cli/commands.ts'

void runCommandLine(process.argv.slice(2))
