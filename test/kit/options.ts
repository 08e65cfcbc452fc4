/** The options of a command, read from its builder. */
import type { Argv } from 'yargs'

export interface Option {
  readonly alias?: string
  readonly choices?: readonly string[]
  readonly describe: string
}

type Builder = object | ((yargs: Argv) => unknown)

/** @returns the arguments of a command by name. The name of a positional argument is in capitals */
export function argumentsOf(builder: Builder): Readonly<Record<string, Option>> {
  if (typeof builder !== 'function') return builder as Readonly<Record<string, Option>>
  const all: Record<string, Option> = {}
  const recorder = {
    options(options: Readonly<Record<string, Option>>) { return Object.assign(all, options), recorder },
    positional(name: string, option: Option) { return Object.assign(all, { [name]: option }), recorder },
    check() { return recorder },
  }
  builder(recorder as unknown as Argv)
  return all
}

/** @returns whether it is the name of a positional argument */
export function isPositional(name: string): boolean { return name === name.toUpperCase() }
