/** Reads a configuration file, and the files that it includes. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { matchesIface } from '../config/config.ts'
import { type Included, parseConfig, type Parsed } from '../config/load.ts'

export const DEFAULT_FILE = '/etc/ndp6d.conf'

/** @throws an Error with `code` when the file itself cannot be read */
export function readConfig(file: string): Parsed { return parseConfig(readFileSync(file, 'utf8'), file, include) }

/** Expands `*` in the last part of the path; without names that start with a dot, as a shell does. @throws an Error with `code` */
function include(glob: string, fromFile: string): readonly Included[] {
  const path = resolve(dirname(fromFile), glob)
  const pattern = basename(path)
  const directory = dirname(path)
  const names = !pattern.includes('*') ? [pattern] : readdirSync(directory).sort()
    .filter((name) => !name.startsWith('.') && matchesIface(pattern, name))
  return names.map((name) => {
    const file = join(directory, name)
    try {
      return { file, text: readFileSync(file, 'utf8') }
    } catch (error) {
      return { file, error: (error as Error).message }
    }
  })
}
