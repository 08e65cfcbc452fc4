/** The programs of this directory that run in the namespaces: loads, hosts and observers. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Host } from '../lab/kit/lab.ts'
import type { Proc } from '../lab/kit/process.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
/** The directory of the sources: what is not TypeScript is not copied to dist. */
const SOURCES = join(HERE, '..', '..', '..', 'test', 'bench')

/** Starts a tool in a host, with its argument as JSON. */
export function tool(host: Host, name: string, argument: object): Proc {
  const program = name.endsWith('.py') ? ['python3', join(SOURCES, name)] : [process.execPath, join(HERE, `${name}.js`)]
  return host.spawn([...program, JSON.stringify(argument)])
}

/** Waits for the end of a tool. @returns what it prints @param seconds that it works */
export async function result<T>(proc: Proc, seconds: number): Promise<T> {
  const result = JSON.parse(await proc.line(/^\{/, 1000 * seconds + 10_000)) as T
  await proc.exited
  return result
}

export function run<T>(host: Host, name: string, argument: object, seconds: number): Promise<T> {
  return result(tool(host, name, argument), seconds)
}

/** @returns what a tool that runs on prints on SIGUSR1 */
export async function report<T>(proc: Proc): Promise<T> {
  const from = proc.lines.length
  proc.child.kill('SIGUSR1')
  return JSON.parse(await proc.line(/^\{/, 10_000, from)) as T
}
