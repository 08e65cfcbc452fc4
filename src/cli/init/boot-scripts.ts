/** Finds proxy entries that this machine sets at its start: `ip -6 neigh add proxy ...` in scripts, and IPv6ProxyNDPAddress=. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Address } from '../../address.ts'
import { matchesIface } from '../../config/config.ts'

/** An address for which solicitations on `dev` are answered. */
export interface ProxyEntry {
  readonly address: Address
  readonly dev: string
  /** Where the entry comes from: `FILE:LINE`, or undefined for an entry of the kernel. */
  readonly origin: string | undefined
}

export interface BootScripts {
  readonly entries: readonly ProxyEntry[]
  /** `FILE:LINE: TEXT` of a line that only a shell could evaluate, or `FILE: REASON` of a file that cannot be read. */
  readonly unread: readonly string[]
}

/**
 * Files that may set proxy entries: interfaces(5), rc.local, systemd.network(5), units, netplan, dispatchers, crontab(5), and scripts that
 * these call.
 */
const PLACES = [
  '/etc/network/interfaces', '/etc/network/interfaces.d/*', '/etc/network/if-pre-up.d/*', '/etc/network/if-up.d/*', '/etc/rc.local',
  '/etc/systemd/network/*.network', '/run/systemd/network/*.network', '/etc/systemd/network/*.network.d/*.conf',
  '/etc/systemd/system/*.service', '/etc/systemd/system/*.service.d/*.conf', '/etc/netplan/*', '/etc/networkd-dispatcher/*/*',
  '/etc/NetworkManager/dispatcher.d/*', '/etc/ppp/ipv6-up.d/*', '/etc/crontab', '/etc/cron.d/*', '/var/spool/cron/crontabs/*',
  '/usr/local/bin/*', '/usr/local/sbin/*',
]
/** The largest script to read, bytes. A larger file is probably a program. */
const MAX_SIZE = 65_536

/** Reads all files of PLACES. */
export function readBootScripts(): BootScripts {
  const entries: ProxyEntry[] = []
  const unread: string[] = []
  for (const file of PLACES.flatMap(expand)) {
    try {
      const stat = statSync(file)
      if (!stat.isFile() || stat.size > MAX_SIZE) continue
      const found = findEntries(file, readFileSync(file, 'utf8'), ifaceOfDropIn(file))
      entries.push(...found.entries)
      unread.push(...found.unread)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EACCES') unread.push(`${file}: this user cannot read it`)
      else if (code === undefined) throw error
    }
  }
  return { entries, unread }
}

/** Expands `*` in each part of a path. */
function expand(pattern: string): string[] {
  return pattern.split('/').slice(1).reduce<string[]>((paths, part) => paths.flatMap((path) => {
    if (!part.includes('*')) return [join(path, part)]
    try {
      return readdirSync(path).sort().filter((name) => matchesIface(part, name)).map((name) => join(path, name))
    } catch {
      return [] // missing, or no directory
    }
  }), ['/'])
}

/** @returns the interface of `X.network` for a drop-in `X.network.d/Y.conf`, which has no [Match] section (systemd.network(5)) */
function ifaceOfDropIn(file: string): string | undefined {
  const [, parent] = /^(.*\.network)\.d$/.exec(dirname(file)) ?? []
  return parent === undefined || !existsSync(parent) ? undefined : /^Name=(\S+)\s*$/m.exec(readFileSync(parent, 'utf8'))?.[1]
}

/** Finds the entries in the text of one file. @param iface the interface of the lines before the first stanza */
export function findEntries(file: string, text: string, iface?: string): BootScripts {
  const entries: ProxyEntry[] = []
  const unread: string[] = []
  // `iface` becomes the interface of the present stanza of interfaces(5), or of the [Match] section of systemd.network(5).
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const origin = `${file}:${i + 1}`
    let line = lines[i]
    while (line.endsWith('\\') && i + 1 < lines.length) line = `${line.slice(0, -1)} ${lines[++i]}`
    if (/^\s*[#;]/.test(line)) continue
    iface = /^\s*iface\s+(\S+)/.exec(line)?.[1] ?? /^Name=(\S+)\s*$/.exec(line)?.[1] ?? iface
    for (const [address, dev] of [...commandsOf(line), ...settingsOf(line)]) {
      const name = dev === undefined || /^\$\{?IFACE\}?$/.test(dev) ? iface : dev
      const parsed = Address.parse(address)
      if (parsed !== undefined && name !== undefined && /^[\w.@~+-]+$/.test(name)) entries.push({ address: parsed, dev: name, origin })
      else if (address.includes('.') && !address.includes(':')) continue // IPv4
      else unread.push(`${origin}: ${line.trim().slice(0, 100)}`)
    }
  }
  return { entries, unread }
}

/** @returns address and interface of each `ip neigh add proxy` in a line; the words of ip(8) may be abbreviated */
function commandsOf(line: string): [string, string | undefined][] {
  return [...line.matchAll(/\bip(?:\s+-\S+)*\s+n[a-z]*\s+(?:add?|r(?:eplace|epl)?)\s+([^;&|#]*)/g)].flatMap(([, rest]) => {
    const words = rest.replace(/["']/g, ' ').trim().split(/\s+/)
    const at = words.indexOf('proxy')
    if (at < 0) return []
    return [[words[at + 1] ?? '', words[words.indexOf('dev') + 1 || words.length]] satisfies [string, string | undefined]]
  })
}

/** @returns each address of IPv6ProxyNDPAddress= (systemd.network(5)), with undefined, which stands for the interface of the file */
function settingsOf(line: string): [string, undefined][] {
  return [.../^\s*IPv6ProxyNDPAddress\s*=\s*(\S+)/g[Symbol.matchAll](line)].map(([, address]) => [address, undefined])
}

