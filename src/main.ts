#!/usr/bin/env node
/** Passes the command line to the commands. */
// Loaded before all other modules. Until then a signal can open Node's debugger, and loading the others takes a while.
import './cli/debugger.ts'
import { runCommandLine } from './cli/commands.ts'

void runCommandLine(process.argv.slice(2))
