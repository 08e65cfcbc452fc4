/** `ndp6d init [FILE]`: makes a configuration from what it finds on this machine. */
import { closeSync, existsSync, fchmodSync, openSync, rmSync, writeSync } from 'node:fs'
import type { InferredOptionTypes } from 'yargs'
import type { Config } from '../config/config.ts'
import { summarize } from '../config/diagnostic.ts'
import { type Machine, readMachine } from '../linux/machine.ts'
import { DEFAULT_FILE, readConfig } from './config-file.ts'
import { EXIT } from './exit.ts'
import { readBootScripts } from './init/boot-scripts.ts'
import { plan } from './init/plan.ts'
import { chooseUpstream, type Findings } from './init/roles.ts'
import { writeText } from './init/text.ts'
import { readOnly, type Unwritable } from './unwritable.ts'

const NDPPD_FILE = '/etc/ndppd.conf'

export const command = 'init [FILE]'
export const describe = 'make a configuration from the links, routes and addresses of this machine'
export const builder = {
  FILE: { type: 'string', default: DEFAULT_FILE, describe: 'configuration file' },
  write: { type: 'boolean', default: false, describe: 'write the file, if it does not exist; else the configuration goes to stdout' },
} as const

export function handler({ FILE: file, write }: InferredOptionTypes<typeof builder>): void {
  const print = (sentence: string): void => { process.stderr.write(`ndp6d: ${sentence}\n`) }
  process.exitCode = EXIT.failed
  if (write && existsSync(file)) return print(existsSentence(file))
  let machine: Machine
  try {
    machine = readMachine()
  } catch (error) {
    return print(`cannot look at this machine ${(error as Error).message}`)
  }
  const ndppd = readNdppd()
  const scripts = readBootScripts()
  const ofKernel = machine.proxied.map((entry) => ({ ...entry, origin: undefined }))
  const found: Findings = { machine, ndppd: ndppd.config, entries: [...ofKernel, ...scripts.entries] }
  const upstream = chooseUpstream(found)
  if (upstream === undefined) {
    return print('no link is up besides lo: bring up the link of the router (`ip link set IFACE up`), and run this again')
  }

  const planned = plan(found, upstream.value)
  const open = [...planned.open]
  if (upstream.others.length > 0) {
    open.unshift(`the upstream may also be ${upstream.others.join(', ')}: choose the link of the router that solicits for the hosts`)
  }
  if (ndppd.error !== undefined) open.push(`${NDPPD_FILE} has an error and was not used: ${ndppd.error}`)
  const ndppdState = ndppd.error !== undefined ? 'not used' : ndppd.config === undefined ? 'none' : 'read'
  const text = writeText(found, upstream, { ...planned, open }, { scripts, ndppd: ndppdState })
  const [check, start] = file === DEFAULT_FILE ? ['ndp6d check', 'systemctl enable --now ndp6d']
    : [`ndp6d check ${file}`, `ndp6d --config ${file}`]
  if (open.length > 0) {
    process.stdout.write(text)
    return print(`cannot decide: ${open[0]}. ${write ? `Nothing was written: save` : 'Save'} the text as ${file}, edit the lines marked DECIDE, `
      + `then \`${check}\``)
  }
  if (write) {
    const failed = writeNew(file, text)
    if (failed !== undefined) {
      process.exitCode = failed.status
      return print(failed.sentence)
    }
  } else process.stdout.write(text)
  process.exitCode = EXIT.good
  const obsolete = found.entries.length > 0 || found.ndppd !== undefined ? ' Remove what ndp6d replaces (listed in it).' : ''
  print(write ? `wrote ${file}. Read it, then \`${check}\`.${obsolete} Start: \`${start}\``
    : `to save this: \`ndp6d init --write${fileArgument(file)}\``)
}

function fileArgument(file: string): string { return file === DEFAULT_FILE ? '' : ` ${file}` }

function existsSentence(file: string): string {
  return `${file} exists and is not overwritten: move it away, or compare it with this machine: \`ndp6d init | diff ${file} -\``
}

/** @returns the configuration of ndppd, or why it cannot be used; an empty object if there is no file or no block in it */
function readNdppd(): { config?: Config; error?: string } {
  try {
    const { config, diagnostics } = readConfig(NDPPD_FILE)
    if (config === undefined) return { error: summarize(diagnostics) }
    return config.proxies.length + config.subnets.length === 0 ? {} : { config }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return code === 'ENOENT' ? {} : { error: message }
  }
}

/** Creates a file that the user of the service can read. @returns why the file could not be created; undefined on success */
function writeNew(file: string, text: string): Unwritable | undefined {
  let fd: number | undefined
  try {
    fd = openSync(file, 'wx', 0o644)
    fchmodSync(fd, 0o644)
    writeSync(fd, text)
    return undefined
  } catch (error) {
    // Otherwise the incomplete file would count as an existing configuration.
    if (fd !== undefined) rmSync(file, { force: true })
    const { code, message } = error as NodeJS.ErrnoException
    switch (code) {
      case 'EEXIST': return { status: EXIT.failed, sentence: existsSentence(file) }
      case 'EROFS': return readOnly(file)
      case 'EACCES': case 'EPERM':
        return { status: EXIT.notPermitted, sentence: `not permitted to write ${file}: run this as root (\`sudo ndp6d init --write${fileArgument(file)}\`)` }
      case undefined: throw error
      default: return { status: EXIT.failed, sentence: `cannot write ${file}: ${message}` }
    }
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
