/** Limits of the kernel that are too small for the configuration, and missing privileges. */
import { SUBNET_DEFAULTS } from '../config/defaults.ts'
import { type Check, configured, type Result, type Subject } from './check.ts'

/**
 * Values of net.core.optmem_max, bytes. `OPTION_MEMORY` is what the largest packet filter of a socket needs. `OPTION_MEMORY_DEFAULT` is the
 * default of new kernels.
 */
const OPTION_MEMORY = 8192, OPTION_MEMORY_DEFAULT = 131_072
const THRESHOLD = 'net/ipv6/neigh/default/gc_thresh'
const CAPABILITIES: Readonly<Record<string, number>> = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13 }

/** Checks the daemon's privileges. Without a daemon, checks this process: a daemon from this shell would have no more privileges. */
function missingCapabilities({ machine, daemon, absence }: Subject): Result {
  const status = machine.read(`/proc/${daemon?.pid ?? 'self'}/status`)
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status ?? '')?.[1]
  if (effective === undefined) return { unknown: 'the privileges of the daemon cannot be read', how: 'sudo ndp6d doctor' }
  const bits = BigInt(`0x${effective}`)
  const missing = Object.entries(CAPABILITIES).filter(([, bit]) => (bits >> BigInt(bit) & 1n) === 0n).map(([name]) => name)
  if (missing.length === 0) return []
  if (daemon === undefined && process.getuid?.() !== 0) {
    const reason = absence?.unknown ?? 'no daemon runs'
    return { unknown: `${reason}, and this user has no privileges`, how: 'sudo ndp6d doctor' }
  }
  const names = missing.join(' and ')
  return [{
    what: daemon === undefined ? `root has no ${names} here` : `the daemon (process ${daemon.pid}) has no ${names}`,
    why: missing.includes('CAP_NET_RAW') ? 'ndp6d cannot receive solicitations or answer them'
      : 'ndp6d sets no routes, forwarding settings or nftables rules, so packets for answered hosts may not reach them; '
        + 'a container needs the options `--cap-add NET_ADMIN --cap-add NET_RAW`',
    mend: `AmbientCapabilities=${Object.keys(CAPABILITIES).join(' ')}`,
    isLine: true,
  }]
}

export const limitChecks: readonly Check[] = [
  { code: 'capability', severity: 'error', title: 'the daemon has its two capabilities', isCheap: true, look: missingCapabilities },
  { code: 'optmem', severity: 'error', title: 'sockets may have the packet filters of ndp6d', isCheap: true,
    look: ({ machine }) => {
      const size = machine.setting('net/core/optmem_max')
      if (size === undefined) return { unknown: 'net.core.optmem_max does not exist in this network namespace', how: 'sysctl net.core.optmem_max' }
      return size >= OPTION_MEMORY ? [] : [{
        what: `net.core.optmem_max is ${size} bytes, less than the ${OPTION_MEMORY} that packet filters need`,
        why: 'sockets of new links, and the filters of changed configurations, fail with ENOMEM',
        mend: `sysctl -w net.core.optmem_max=${OPTION_MEMORY_DEFAULT}`,
      }]
    } },
  configured({ code: 'neighbor-table', severity: 'warning', title: 'the neighbor table of the kernel has room for all hosts' },
    ({ config, machine, neighbors }) => {
      const soft = machine.setting(`${THRESHOLD}2`)
      const hard = machine.setting(`${THRESHOLD}3`)
      if (soft === undefined || hard === undefined) {
        return { unknown: 'the thresholds of the neighbor table are not shown in this network namespace',
          how: 'nsenter --target 1 --net ndp6d doctor --only neighbor-table' }
      }
      const needed = config.subnets.reduce((sum, { hosts, settings: { limit } }) => sum + hosts.length
        // The default limit protects ndp6d, and is no statement about the number of hosts.
        + (limit > SUBNET_DEFAULTS.limit ? limit : 0), 0)
      let known = 0
      for (const { iface } of neighbors) if (iface !== undefined) known++
      const hosts = Math.max(needed, known)
      if (hosts < soft && hosts < hard) return []
      const size = 2 ** Math.ceil(Math.log2(2 * hosts))
      return [{
        what: `the kernel has places for ${soft} neighbors (gc_thresh2), for a short time ${hard} (gc_thresh3), but there are ${hosts} hosts`,
        why: 'the kernel drops packets for further hosts, and ndp6d cannot send probes while the table is full',
        mend: `sysctl -w net.ipv6.neigh.default.gc_thresh3=${2 * size} net.ipv6.neigh.default.gc_thresh2=${size}`,
      }]
    }),
]
