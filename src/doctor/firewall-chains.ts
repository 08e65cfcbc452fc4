/** Chains of firewall rules, and what becomes of a packet in them (nft(8), ip6tables(8)). */

/**
 * An ICMPv6 message of Neighbor Discovery or MLD. `in`: link of a received message. `out`: link of a sent message. Both are undefined in
 * chains of a bridge, where the link is unknown.
 */
export interface Packet {
  readonly type: number
  readonly hopLimit: number
  readonly in?: string
  readonly out?: string
}

/** Whether a packet matches. Undefined: that depends on something that is not modelled, such as addresses or the rate of packets. */
export type Truth = boolean | undefined

/** `jump` and `goto` name a chain of the same table. */
export type Verdict = 'accept' | 'drop' | 'return' | { readonly jump: string } | { readonly goto: string }

/** @returns whether the packet matches, and the verdict if there is one */
export type Rule = (packet: Packet) => { readonly truth: Truth; readonly verdict?: Verdict | undefined }

export interface Chain {
  readonly family: string
  readonly table: string
  readonly name: string
  /** The hook of a base chain. Undefined for other chains. */
  readonly hook?: string | undefined
  readonly policy?: 'accept' | 'drop'
  /** The links of a chain at `ingress` or `egress`. */
  readonly device?: readonly string[]
  readonly rules: readonly Rule[]
  /** The chain belongs to ip6tables. */
  readonly isExtended: boolean
}

/** Jumps are nested up to 16 times in nftables. */
const DEPTH = 16

/** @returns whether the base chain certainly drops or rejects the packet */
export function drops(chain: Chain, all: readonly Chain[], packet: Packet): boolean {
  const inTable = all.filter(({ family, table }) => family === chain.family && table === chain.table)
  const end = walk(chain, inTable, packet, 0)
  return end === 'drop' || (end === undefined && chain.policy === 'drop')
}

/** @returns the final verdict; undefined: the packet reaches `return` or the end of the chain */
function walk(chain: Chain, all: readonly Chain[], packet: Packet, depth: number): 'accept' | 'drop' | undefined {
  for (const rule of chain.rules) {
    const { truth, verdict } = rule(packet)
    if (truth === false || verdict === undefined) continue
    // A rule that may or may not match counts in favor of the packet: its `accept` ends the walk, and its `drop` is skipped.
    if (verdict === 'accept') return 'accept'
    if (verdict === 'drop') {
      if (truth === true) return 'drop'
    } else if (verdict === 'return') {
      return truth === true ? undefined : 'accept'
    } else {
      const isJump = 'jump' in verdict
      const name = isJump ? verdict.jump : verdict.goto
      const target = all.find((each) => each.name === name)
      const end = target === undefined || depth >= DEPTH ? undefined : walk(target, all, packet, depth + 1)
      if (end === 'accept' || (end === 'drop' && truth === true)) return end
      if (!isJump && truth === true) return undefined
    }
  }
  return undefined
}

/** @returns whether both are true */
export function both(a: Truth, b: Truth): Truth { return a === false || b === false ? false : a === undefined || b === undefined ? undefined : true }
export function not(a: Truth): Truth { return a === undefined ? undefined : !a }
