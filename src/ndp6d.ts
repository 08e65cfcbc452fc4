#!/usr/bin/env node
/** What is started: runs the program that was built beside it, which is main.ts with all that it needs. */
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { load } from './code.ts'

const file = createRequire(import.meta.url).resolve('./program.cjs')
const program = { exports: {} as typeof import('./main.ts') }
load(file).runInThisContext()(program.exports, createRequire(file), program, file, dirname(file))
void program.exports.main(process.argv.slice(2), () => import('yargs'))
