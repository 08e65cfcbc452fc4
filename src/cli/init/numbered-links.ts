/** Joins the names of numbered links to patterns, such as `vmtap*`. */
import { matchesIface } from '../../config/config.ts'
import type { Machine } from '../../linux/machine.ts'

/** Kinds of links that virtualization software makes and numbers, one for each guest. */
const NUMBERED = ['tun', 'veth', 'macvtap']

/** @returns the names; those of numbered links of guests joined to one pattern, if it matches no other link */
export function joinNumbered(names: readonly string[], { links }: Machine): readonly string[] {
  const stems = new Map<string, string[]>()
  for (const name of names) {
    const stem = name.replace(/\d.*$/, '')
    const kind = links.find(({ ifname }) => ifname === name)?.linkinfo?.info_kind ?? ''
    const key = stem !== '' && stem !== name && NUMBERED.includes(kind) ? `${stem}*` : name
    stems.set(key, [...stems.get(key) ?? [], name])
  }
  return [...stems].flatMap(([pattern, members]) =>
    members.length > 1 && links.every(({ ifname }) => names.includes(ifname) || !matchesIface(pattern, ifname)) ? [pattern] : members)
}
