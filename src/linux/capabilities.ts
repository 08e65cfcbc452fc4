/** The capabilities of this process (capabilities(7)). */
import { readFileSync } from 'node:fs'

const CAP_NET_ADMIN = 12n

/** @returns whether this process may change routes, nftables and settings of its network namespace; true if CapEff cannot be read */
export function hasNetAdmin(status = '/proc/self/status'): boolean {
  try {
    const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(status, 'latin1')) ?? []
    return effective === undefined || (BigInt(`0x${effective}`) >> CAP_NET_ADMIN & 1n) === 1n
  } catch {
    return true
  }
}
