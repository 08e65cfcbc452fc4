/** The arguments of commands. */
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
export function argumentsOf(command: string): Arguments { return COMMANDS[command] as Arguments }

/** @returns whether it is the name of a positional argument */
export function isPositional(name: string): boolean { return name === name.toUpperCase() }

/** @returns the options of a command as they are typed, such as `--config` and `-c`, sorted. `--help` and `--version` are not among them */
export function optionsOf(command: string): string[] {
  return Object.entries(argumentsOf(command)).filter(([name]) => !isPositional(name))
    .flatMap(([name, { alias }]) => [`--${name}`, ...alias === undefined ? [] : [`-${alias}`]]).sort()
}
