/** Finds other ND proxies, and proxy entries of the kernel, that may answer for the addresses of the configuration. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { type Check, configured, type Finding, type Result, word } from './check.ts'
import type { Machine } from './machine.ts'
import { covers } from './roles.ts'

/** Names of ND proxies, as /proc/PID/comm shows them: at most 15 bytes. */
const PROXIES = ['ndppd', 'npd6', 'odhcpd', 'pndpd', 'ndpresponder', 'ndproxy', 'ndp-proxy', 'ndp-proxy-go', 'ndprbrd']
/** The most addresses in one command. */
const ADDRESSES = 500

/** @returns a finding for each other ND proxy, such as ndppd, that runs in this network namespace */
async function competitors(machine: Machine): Promise<Result> {
  const own = await readlink('/proc/self/ns/net')
  const found: Finding[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const name = await readComm(pid)
    if (name === undefined || !PROXIES.includes(name)) continue
    let namespace
    try {
      namespace = await readlink(`/proc/${pid}/ns/net`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      return { unknown: `${name} runs (process ${pid}), perhaps in another network namespace`, how: 'sudo ndp6d doctor' }
    }
    if (namespace !== own) continue
    const unit = unitOf(machine, pid, name)
    const disabled = name === 'odhcpd' ? "; for DHCPv6 alone, write `option ndp 'disabled'` into /etc/config/dhcp instead" : ''
    found.push({
      what: `another ND proxy, ${name}, runs beside ndp6d (process ${pid}${unit === undefined ? '' : `, ${unit}`})`,
      why: `both answer the same solicitations, and it may keep answering for hosts that are gone or have moved${disabled}`,
      mend: unit === undefined ? `kill ${pid}` : `systemctl disable --now ${word(unit)}`,
    })
  }
  return found
}

async function readComm(pid: string): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'latin1')).trim()
  } catch {
    return undefined // the process has ended
  }
}

/** @returns the systemd service of a process, if the service is named after the program. Stopping such a service stops no other program */
function unitOf(machine: Machine, pid: string, name: string): string | undefined {
  const unit = /([^/\n]+\.service)$/m.exec(machine.read(`/proc/${pid}/cgroup`) ?? '')?.[1]
  return unit?.includes(name) === true ? unit : undefined
}

export const competitorChecks: readonly Check[] = [
  { code: 'competitor', severity: 'warning', title: 'no other ND proxy runs', isCheap: true, look: ({ machine }) => competitors(machine) },
  configured({ code: 'kernel-proxy', severity: 'warning', title: 'the kernel has no proxy entries for configured prefixes', isCheap: true },
    ({ config, machine }) => {
      const links = new Map<string, string[]>()
      for (const { address, ifindex } of machine.proxies.filter((entry) => entry.proxy && covers(config, machine, entry.address))) {
        const name = machine.nameOf(ifindex)
        links.set(name, [...links.get(name) ?? [], address.toString()])
      }
      return [...links].map(([link, all]): Finding => {
        const addresses = all.slice(0, ADDRESSES)
        const [first] = addresses
        const del = (address: string): string => `ip -6 neigh del proxy ${address} dev ${word(link)}`
        return {
          what: all.length === 1 ? `the kernel has a proxy entry for ${first} on ${link}`
            : `the kernel has proxy entries for ${all.length} addresses of configured prefixes on ${link}, ${first} among them`,
          why: 'the kernel answers too, up to 0.8 s late, for as long as the entry exists: also if no host has the address',
          mend: addresses.length === 1 ? del(first) : `for a in ${addresses.join(' ')}; do ${del('$a')}; done`,
          link, ...all.length === 1 && { target: first },
        }
      })
    }),
]
