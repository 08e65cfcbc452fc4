/** Writes a plan as a configuration. The reasons for the plan become comments. */
import { printBlock } from '../../config/print.ts'
import type { Machine } from '../../linux/machine.ts'
import type { BootScripts } from './boot-scripts.ts'
import type { Block, Plan } from './plan.ts'
import type { Decision, Findings } from './roles.ts'
import { table } from '../table.ts'

/** The last column in which aligned reasons may begin. The reason of a longer statement follows the statement directly. */
const MAX_COLUMN = 44

/** Sources of the plan besides the tables of the kernel. */
export interface Sources {
  readonly scripts: BootScripts
  /** State of /etc/ndppd.conf: `none`, `read` or `not used`. */
  readonly ndppd: string
}

/** @returns the text of a configuration file */
export function writeText(found: Findings, upstream: Decision<string>, { blocks, roles, open }: Plan, { scripts, ndppd }: Sources): string {
  const { machine, entries } = found
  const rows = machine.links.filter(({ ifname }) => ifname !== 'lo').flatMap(({ ifname }) => {
    const role = ifname === upstream.value ? `upstream (${upstream.reason})` : roles.get(ifname)
    const own = addressesOf(machine, ifname)
    return role === undefined && own === '' ? [] : [[ifname, own === '' ? 'no address' : own, `-> ${role ?? 'not used'}`]]
  })
  const ofKernel = entries.filter(({ origin }) => origin === undefined)
  const obsolete = [
    ...ofKernel.map(({ address, dev }) => `ip -6 neigh del proxy ${address} dev ${dev}`),
    ...new Set(scripts.entries.map(({ origin, address, dev }) => `${origin}: the proxy entry of ${address} on ${dev}`)),
    ...found.ndppd === undefined ? [] : ['systemctl disable --now ndppd'],
  ]
  const comments = [
    'Made by `ndp6d init` from the links, addresses, routes and neighbors of this machine:',
    ...table(rows.length === 0 ? [['no link', '', '']] : rows, { left: 3, indent: '  ' }).trimEnd().split('\n'),
    `Kernel proxy entries: ${ofKernel.length}; entries in boot scripts: ${scripts.entries.length}; /etc/ndppd.conf: ${ndppd}.`,
    ...listed('ndp6d replaces these, so remove them before it starts:', obsolete),
    ...listed('These lines may set proxy entries too, but only a shell can read them:', scripts.unread),
    ...open.map((sentence) => `DECIDE: ${sentence}.`),
  ]
  const forwarding = ['# Packets for the hosts pass this machine; the default route of router advertisements is kept.', 'forwarding yes']
  const parts = [comments.map((line) => `# ${line}`.trimEnd()), forwarding, ...blocks.map(printAnnotated)]
  // Names of files and links may contain control characters.
  return parts.map((lines) => lines.map((line) => `${line.replace(/\p{Cc}/gu, '?')}\n`).join('')).join('\n')
}

function addressesOf({ addresses }: Machine, link: string): string {
  return addresses.filter(({ dev }) => dev === link).map(({ address, length }) => `${address}/${length}`).join(', ')
}

function listed(head: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [head, ...items.map((item) => `  ${item}`)]
}

function printAnnotated({ head, lines }: Block): string[] {
  const column = Math.min(MAX_COLUMN, Math.max(...lines.filter(({ why }) => why !== undefined).map(({ text }) => text.length), 0))
  return printBlock(head, lines.map(({ text, why }) => why === undefined ? text : `${text.padEnd(column)}  # ${why}`))
}
