/** The sentences about reloads, in the log and in the output of `ndp6d reload`. */
import type { Change } from '../config/changes.ts'
import type { LinkPreview } from '../engine.ts'

/** A change, with its effect on the hosts in its prefix. */
export interface ReloadChange extends Change {
  /** How many hosts, host routes and groups go with a removed part, or because of a new exclusion; 0 for other changes. */
  readonly hosts: number
  readonly routes: number
  readonly groups: number
}

/** The most names in a sentence. */
const MAX_NAMES = 4
const SIGNS = { add: '+', change: '~', remove: '-' } as const

/** @returns the columns of a change: sign and part, values, place */
export function changeColumns({ op, what, name, block, from, to, file, line, hosts, routes, groups }: ReloadChange): [string, string, string] {
  const part = what === 'option' ? block ?? name : what === 'order' ? block ?? 'configuration' : `${what} ${name}`
  const values = what === 'order' ? 'another order' : op === 'change' ? `${from} -> ${to}` : to ?? from ?? ''
  const detail = what === 'option' && block !== null ? `${name} ${values}` : values
  const losses = [plural(hosts, 'host'), ...routes > 0 ? [plural(routes, 'route')] : [], ...groups > 0 ? [plural(groups, 'group')] : []]
  const gone = hosts === 0 ? [] : [`${list(losses)} ${hosts + routes + groups === 1 ? 'goes' : 'go'}`]
  return [`${SIGNS[op]} ${part}`, [...detail === '' ? [] : [detail], ...gone].join('; '), file === null ? '' : `${file}:${line}`]
}

/** @returns e.g. `+ subnet 2001:db8:1::/64 eth0 to eth2 (/etc/ndp6d.conf:12)` */
export function changeLine(change: ReloadChange): string {
  const [part, detail, place] = changeColumns(change)
  return [part, detail, place === '' ? '' : `(${place})`].filter((text) => text !== '').join(' ')
}

/** @returns e.g. `14 of 17 hosts kept, eth0 and eth1 untouched`. @param would whether the reload is only a preview */
export function keptSentence(kept: number, dropped: number, links: readonly LinkPreview[], would = false): string {
  const total = kept + dropped
  const hosts = total === 0 ? 'no hosts are known' : `${dropped === 0 ? `${kept === 1 ? '' : 'all '}${plural(kept, 'host')}` : `${kept} of ${plural(total, 'host')}`}${
    would ? ' would be' : ''} kept`
  const verbs = { kept: would ? 'would stay untouched' : 'untouched', replaced: would ? 'would get new sockets' : 'with new sockets',
    opened: would ? 'would be opened' : 'opened', closed: would ? 'would be closed' : 'closed' } as const
  const parts = Object.entries(verbs).flatMap(([state, verb]) => {
    const names = links.filter(({ sockets }) => sockets === state).map(({ iface }) => iface)
    return names.length === 0 ? [] : [`${names.length > MAX_NAMES ? `${names.length} links` : list(names)} ${verb}`]
  })
  return [hosts, ...parts].join(', ')
}

/** Formats `2026-11-20 14:02`, in local time. */
export function minute(date: Date): string {
  const [year, month, day, hours, minutes] = [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes()]
    .map((part) => String(part).padStart(2, '0'))
  return `${year}-${month}-${day} ${hours}:${minutes}`
}

/** Formats `12:03:11`, in local time. */
export function second(date: Date): string { return date.toTimeString().slice(0, 8) }

function plural(count: number, noun: string): string { return `${count} ${noun}${count === 1 ? '' : 's'}` }

/** @returns `a, b and c` */
function list(words: readonly string[]): string { return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}` }
