/** The arguments of commands, read from their builders. */
import type { Argv } from 'yargs'
import { COMMANDS } from '../../src/cli/commands.ts'

export interface Argument {
  readonly alias?: string
  readonly choices?: readonly string[]
  readonly describe: string
}

type Arguments = Readonly<Record<string, Argument>>

/** The names of all commands, sorted. */
export const NAMES: readonly string[] = Object.keys(COMMANDS).filter((name) => name !== '').sort()

/** @param command its name; empty for the daemon @returns its arguments by name. The name of a positional argument is in capitals */
export function argumentsOf(command: string): Arguments { return argumentsIn(COMMANDS[command]) }

function argumentsIn(builder: object | ((yargs: Argv) => unknown)): Arguments {
  if (typeof builder !== 'function') return builder as Arguments
  const all: Record<string, Argument> = {}
  const recorder = {
    options(options: Arguments) { return Object.assign(all, options), recorder },
    positional(name: string, argument: Argument) { return Object.assign(all, { [name]: argument }), recorder },
    check() { return recorder },
  }
  builder(recorder as unknown as Argv)
  return all
}

/** @returns whether it is the name of a positional argument */
export function isPositional(name: string): boolean { return name === name.toUpperCase() }

/** @returns the options of a command as they are typed, such as `--config` and `-c`, sorted. `--help` and `--version` are not among them */
export function optionsOf(command: string): string[] {
  return Object.entries(argumentsOf(command)).filter(([name]) => !isPositional(name))
    .flatMap(([name, { alias }]) => [`--${name}`, ...alias === undefined ? [] : [`-${alias}`]]).sort()
}
