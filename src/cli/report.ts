/** `ndp6d report`: one text for a bug report. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { arch, release } from 'node:os'
import type { InferredOptionTypes } from 'yargs'
import { matchesIface } from '../config/config.ts'
import { renderDiagnostic } from '../config/diagnostic.ts'
import { printConfig } from '../config/print.ts'
import { request } from '../control/client.ts'
import { type Status, statusOf } from '../replies/status.ts'
import { Anonymizer } from './anonymizer.ts'
import { DEFAULT_FILE, readConfig } from './config-file.ts'
import { control, failureOf } from './connection.ts'
import { StatusText } from './status-text.ts'
import { version } from './version.ts'

export const command = 'report'
export const describe = 'print one text for a bug report, with addresses replaced'

const SCHEMA = 'ndp6d/report/1'
/** The most lines of one table of the kernel. */
const MAX_LINES = 1000
/** The most records of the journal. */
const RECORDS = 200
/** Time limit of one program, milliseconds. */
const TIMEOUT = 10_000
const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`

export const builder = {
  control,
  config: { alias: 'c', type: 'string', requiresArg: true, describe: 'configuration file, if no daemon runs' },
  plain: { type: 'boolean', default: false, describe: 'keep addresses as they are' },
  json: { type: 'boolean', default: false, describe: 'as one JSON object' },
} as const

interface Section { readonly title: string; readonly text: string }

/** The exit status is 0 in every state of the daemon. A section whose source cannot be read has the reason instead. */
export async function handler({ control: path, config, plain, json }: InferredOptionTypes<typeof builder>): Promise<void> {
  const anonymizer = new Anonymizer()
  const sections = (await sectionsOf(path, config, plain)).map(({ title, text }) => ({ title, text: plain ? text : anonymizer.text(text) }))
  const head = `Report of ndp6d with ${sections.map(({ title }) => title).join(', ')}. ${plain ? 'It has all addresses.'
    : 'Addresses are replaced; prefixes, and names of links and files, are not.'} Read it before you send it.`
  process.stdout.write(json ? `${JSON.stringify({ schema: SCHEMA, head, sections }, undefined, 2)}\n`
    : `${head}\n${sections.map(({ title, text }) => `\n== ${title}\n\n${text.trimEnd()}\n`).join('')}`)
}

async function sectionsOf(path: string, config: string | undefined, plain: boolean): Promise<Section[]> {
  const status = await statusOf(request(path, 'status', { all: true })).catch((error: NodeJS.ErrnoException) => error)
  const known = status instanceof Error ? undefined : status
  const file = known?.config.file ?? config ?? DEFAULT_FILE
  const names = configuredNames(file)
  const links = [...new Set([...names.filter((name) => !name.includes('*')), ...known?.links.map(({ name }) => name) ?? []])]
  const isOurs = (line: string): boolean => {
    const name = / dev (\S+)/.exec(line)?.[1] ?? /^\d+: ([^:@\s]+)/.exec(line)?.[1]
    return name !== undefined && (links.includes(name) || names.some((word) => matchesIface(word, name)))
  }
  const ofDoctor = known === undefined && config !== undefined ? ['--config', config] : []
  return [
    { title: 'versions', text: versions() },
    { title: 'configuration', text: effectiveConfig(file) },
    { title: 'status', text: status instanceof Error ? failureOf(status, path).sentence : fullText(status, plain) },
    { title: 'doctor', text: output([process.execPath, process.argv[1], 'doctor', '--control', path, ...ofDoctor]).text },
    { title: 'events', text: output(['journalctl', '--unit', 'ndp6d', '--lines', String(RECORDS), '--output', 'short-iso', '--no-hostname',
      '--no-pager', '--quiet']).text || 'The journal has none, or this user cannot read it: run the report with sudo.' },
    { title: 'addresses', text: lines(['ip', '-6', '-oneline', 'address', 'show'], isOurs) },
    { title: 'routes', text: lines(['ip', '-6', 'route', 'show', 'table', 'all'], (line) => isOurs(line) || /^(?:default|unreachable|blackhole|prohibit) /.test(line)) },
    { title: 'neighbors', text: lines(['ip', '-6', 'neighbor', 'show'], isOurs) },
    { title: 'unit', text: output(['systemctl', 'cat', '--no-pager', 'ndp6d.service']).text },
  ]
}

function versions(): string {
  const systemd = output(['systemctl', '--version']).text.split('\n')[0]
  const system = existsSync('/etc/os-release') ? /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] : undefined
  return [`ndp6d ${version()}`, `Node ${process.version}`, `Linux ${release()} ${arch()}`, systemd, system].filter((line) => line !== undefined).join('\n')
}

function configuredNames(file: string): string[] {
  try {
    const { proxies = [], subnets = [] } = readConfig(file, true).config ?? {}
    return [...proxies.flatMap(({ iface, rules }) => [iface, ...rules.flatMap((rule) => rule.kind === 'iface' ? rule.ifaces : [])]),
      ...subnets.flatMap(({ upstream, downstream }) => [upstream, ...downstream])]
  } catch {
    return []
  }
}

/** @returns the problems of a file, then the effective configuration. If the file has errors: the problems, then the text of the file */
function effectiveConfig(file: string): string {
  try {
    const { config, diagnostics } = readConfig(file, true)
    return [`# ${file}`, ...diagnostics.map(renderDiagnostic), config === undefined ? readFileSync(file, 'utf8') : printConfig(config)].join('\n')
  } catch (error) {
    return `${file} cannot be read: ${(error as Error).message}`
  }
}

/** The bytes of packets contain addresses, so the report has these bytes only with `--plain`. */
function fullText(status: Status, plain: boolean): string {
  const text = new StatusText(status, { all: true })
  return `${text.overview}\n${plain ? text.drops : text.dropsWithoutBytes}`
}

function lines(argv: readonly string[], isWanted: (line: string) => boolean): string {
  const { status, text } = output(argv)
  if (status !== 0) return text
  const wanted = text.split('\n').filter(isWanted)
  const more = wanted.length - MAX_LINES
  return [...wanted.slice(0, MAX_LINES), ...more > 0 ? [`${more} more lines`] : []].join('\n')
}

/** Runs a program. @returns the exit status and the output; if the program cannot be run, a sentence instead of the output */
function output([program, ...args]: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: TIMEOUT, maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH, LC_ALL: 'C' } })
  return { status, text: error === undefined ? `${stdout}${stderr}` : `${program} cannot be run: ${error.message}` }
}
