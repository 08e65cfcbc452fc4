/** Traffic between every pair of hosts, and the kernel's decisions about it. */
import type { Test } from 'tap'
import type { Host } from './lab.ts'

/** A host, its address, and the link of the proxy behind which it is. */
export type Party = readonly [host: Host, address: string, link?: string]

/** @returns the pairs of hosts, `from > to`, where no datagram is echoed */
export async function cutOff(parties: Readonly<Record<string, Party>>): Promise<string[]> {
  const failed: string[] = []
  for (const [name, other] of pairsOf(parties)) if (!await parties[name][0].reaches(parties[other][1], 5000)) failed.push(`${name} > ${other}`)
  return failed
}

/** Comments on where the proxy forwards the packets of each pair. @returns the links by pair; `none`: packets are rejected */
export function decisions(t: Test, proxy: Host, parties: Readonly<Record<string, Party>>): Record<string, string> {
  return Object.fromEntries(pairsOf(parties).map(([name, other]) => {
    const lookup = `route get ${parties[other][1]} from ${parties[name][1]} iif ${parties[name][2]}`
    let link = 'none'
    try {
      link = String(proxy.show(lookup)[0].dev)
    } catch { /* There is no route. */ }
    t.comment(`${name} > ${other}: ip -6 ${lookup}: ${link}`)
    return [`${name} > ${other}`, link]
  }))
}

function pairsOf(parties: Readonly<Record<string, Party>>): [string, string][] {
  const names = Object.keys(parties)
  return names.flatMap((name) => names.filter((other) => other !== name).map((other): [string, string] => [name, other]))
}
