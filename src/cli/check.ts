/** `ndp6d check [FILE]`: reports all problems of a configuration. */
import type { Argv } from 'yargs'
import { renderDiagnostic } from '../config/diagnostic.ts'
import type { Parsed } from '../config/load.ts'
import { printConfig } from '../config/print.ts'
import { DEFAULT_FILE, readConfig } from './config-file.ts'
import { EXIT } from './exit.ts'

export const command = 'check [FILE]'
export const describe = 'check a configuration'

export function builder(yargs: Argv) {
  return yargs.positional('FILE', { type: 'string', default: DEFAULT_FILE, describe: 'configuration file' })
    .option('print', { type: 'boolean', default: false, describe: 'print the effective configuration' })
}

export function handler({ FILE, print }: { FILE: string; print: boolean }): void {
  const parsed = loadConfig(FILE)
  if (parsed?.config === undefined) {
    process.exitCode = EXIT.config
  } else if (print) {
    process.stdout.write(printConfig(parsed.config))
  } else {
    const warnings = parsed.diagnostics.length
    process.stdout.write(`${FILE}: good${warnings === 0 ? '' : `, with ${warnings} warning${warnings === 1 ? '' : 's'}`}\n`)
  }
}

/** Reads a configuration, and prints its problems. @returns undefined when the file cannot be read, which is printed as well */
export function loadConfig(file: string, read = (): Parsed => readConfig(file)): Parsed | undefined {
  try {
    const parsed = read()
    for (const diagnostic of parsed.diagnostics) process.stderr.write(`${renderDiagnostic(diagnostic)}\n`)
    return parsed
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error
    process.stderr.write(`ndp6d: ${unreadable(file, error as NodeJS.ErrnoException)}\n`)
    return undefined
  }
}

/** @param error of reading the file @returns why it cannot be read, and what to do */
export function unreadable(file: string, { code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT': return `${file} does not exist: create it, or name another file with \`--config FILE\` or \`check FILE\``
    case 'EACCES': return `this user cannot read ${file}: \`chmod a+r ${file}\`, or run as another user`
    default: return `cannot read ${file}: ${message}`
  }
}
