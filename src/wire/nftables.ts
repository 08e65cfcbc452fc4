/**
 * The nf_tables messages of one small table: `ip6 ndp6d`, which drops Neighbor Solicitations before the kernel reacts
 * to them, and Neighbor Advertisements before it forwards them (linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h,
 * nft(8)). In nft's language:
 *
 *     table ip6 ndp6d {
 *       flags owner
 *       set p2 { type ipv6_addr; flags interval; elements = { 2001:db8::/64 } }
 *       chain prerouting {
 *         type filter hook prerouting priority raw; policy accept
 *         meta iif 2 ether daddr 02:00:00:00:00:02 icmpv6 type 135-136 ip6 daddr @p2 fib daddr type != local drop
 *       }
 *     }
 *
 * With br_netfilter, frames that a bridge of this machine passes between its ports come along, too, as if they had come in
 * on the bridge; they are not for its own link-layer address.
 *
 * nf_tables takes its numbers in network byte order, except what is compared with kernel numbers (ifindex).
 */
import { Address, wordMask, writeMac } from '../address.ts'
import type { Mac, Prefix } from '../address.ts'
import { NLM_F_CREATE, NLM_F_REQUEST } from './netlink.ts'
import type { MessageWriter } from './netlink.ts'

export const TABLE = 'ndp6d'
const CHAIN = 'prerouting'

/** The kernel deletes the table when the socket that made it is closed (Linux 5.12). */
export const NFT_TABLE_F_OWNER = 2

const NFNL_SUBSYS_NFTABLES = 10
const NFNL_MSG_BATCH_BEGIN = 0x10
const NFNL_MSG_BATCH_END = 0x11
const NFT_MSG_NEWTABLE = 0
const NFT_MSG_DELTABLE = 2
const NFT_MSG_NEWCHAIN = 3
const NFT_MSG_NEWRULE = 6
const NFT_MSG_NEWSET = 9
const NFT_MSG_NEWSETELEM = 12
const NLM_F_APPEND = 0x800

const AF_UNSPEC = 0
const NFPROTO_IPV6 = 10
const NF_INET_PRE_ROUTING = 0
const NF_IP_PRI_RAW = -300
const NF_DROP = 0
const NF_ACCEPT = 1

const NFTA_LIST_ELEM = 1
const NFTA_TABLE_NAME = 1
const NFTA_TABLE_FLAGS = 2
const NFTA_CHAIN_TABLE = 1
const NFTA_CHAIN_NAME = 3
const NFTA_CHAIN_HOOK = 4
const NFTA_CHAIN_POLICY = 5
const NFTA_CHAIN_TYPE = 7
const NFTA_HOOK_HOOKNUM = 1
const NFTA_HOOK_PRIORITY = 2
const NFTA_SET_TABLE = 1
const NFTA_SET_NAME = 2
const NFTA_SET_FLAGS = 3
const NFTA_SET_KEY_TYPE = 4
const NFTA_SET_KEY_LEN = 5
const NFTA_SET_ID = 10
const NFTA_SET_ELEM_LIST_TABLE = 1
const NFTA_SET_ELEM_LIST_SET = 2
const NFTA_SET_ELEM_LIST_ELEMENTS = 3
const NFTA_SET_ELEM_KEY = 1
const NFTA_SET_ELEM_FLAGS = 3
const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
const NFTA_RULE_TABLE = 1
const NFTA_RULE_CHAIN = 2
const NFTA_RULE_EXPRESSIONS = 4
const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_META_DREG = 1
const NFTA_META_KEY = 2
const NFTA_CMP_SREG = 1
const NFTA_CMP_OP = 2
const NFTA_CMP_DATA = 3
const NFTA_PAYLOAD_DREG = 1
const NFTA_PAYLOAD_BASE = 2
const NFTA_PAYLOAD_OFFSET = 3
const NFTA_PAYLOAD_LEN = 4
const NFTA_LOOKUP_SET = 1
const NFTA_LOOKUP_SREG = 2
const NFTA_LOOKUP_SET_ID = 4
const NFTA_FIB_DREG = 1
const NFTA_FIB_RESULT = 2
const NFTA_FIB_FLAGS = 3
const NFTA_IMMEDIATE_DREG = 1
const NFTA_IMMEDIATE_DATA = 2

const NFT_SET_INTERVAL = 4
const NFT_SET_ELEM_INTERVAL_END = 1
/** nft's own number for ipv6_addr, so that `nft list` can print the set. */
const TYPE_IP6ADDR = 8

const NFT_REG_VERDICT = 0
const NFT_REG_1 = 1
const NFT_CMP_EQ = 0
const NFT_CMP_NEQ = 1
const NFT_CMP_LTE = 3
const NFT_CMP_GTE = 5
const NFT_META_IIF = 4
const NFT_META_IIFTYPE = 8
const NFT_META_L4PROTO = 16
const NFT_PAYLOAD_LL_HEADER = 0
const NFT_PAYLOAD_NETWORK_HEADER = 1
const NFT_PAYLOAD_TRANSPORT_HEADER = 2
const NFT_FIB_RESULT_ADDRTYPE = 3
const NFTA_FIB_F_DADDR = 2
const RTN_LOCAL = 2

const IPPROTO_ICMPV6 = 58
const ARPHRD_ETHER = 1
const ND_NEIGHBOR_SOLICIT = 135
const ND_NEIGHBOR_ADVERT = 136
const IP6_DADDR_OFFSET = 24

/** Addresses from `first` up to, not including, `end`; without an end up to the last one. */
export interface Range {
  readonly first: Address
  readonly end: Address | undefined
}

/** The address after the last one of `prefix`; undefined when there is none. */
function after({ address: a, length }: Prefix): Address | undefined {
  const words = [a.w0, a.w1, a.w2, a.w3].map((word, i) => (word | ~wordMask(length, i)) >>> 0)
  for (let i = 3; i >= 0; i--) {
    words[i] = (words[i] + 1) >>> 0
    if (words[i] !== 0) return new Address(words[0], words[1], words[2], words[3])
  }
  return undefined
}

/** The same addresses as ranges in ascending order, none of which touches another: what an interval set wants. */
export function ranges(prefixes: Iterable<Prefix>): Range[] {
  const sorted = [...prefixes].sort((a, b) => a.address.compare(b.address) || a.length - b.length)
  const result: Range[] = []
  for (const prefix of sorted) {
    const previous = result.at(-1)
    const next = { first: prefix.address, end: after(prefix) }
    if (previous === undefined || (previous.end !== undefined && previous.end.compare(next.first) < 0)) {
      result.push(next)
    } else if (previous.end !== undefined && (next.end === undefined || previous.end.compare(next.end) < 0)) {
      result[result.length - 1] = { first: previous.first, end: next.end }
    }
  }
  return result
}

/** Numbers the messages of a batch, which the kernel carries out as a whole or not at all. */
export class Batch {
  readonly #w: MessageWriter
  readonly #first: number
  #count = 0

  constructor(w: MessageWriter, first: number) {
    this.#w = w
    this.#first = first
    this.#begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
    this.#w.end()
  }

  /** Creates the table unless it exists. `flags`: 0 or NFT_TABLE_F_OWNER. */
  newTable(flags: number): void {
    const w = this.#start(NFT_MSG_NEWTABLE, NLM_F_CREATE)
    w.attributeText(NFTA_TABLE_NAME, TABLE)
    be32(w, NFTA_TABLE_FLAGS, flags)
    w.end()
  }

  /** Deletes the table with all that is in it; the batch fails when it does not exist. */
  deleteTable(): void {
    const w = this.#start(NFT_MSG_DELTABLE, 0)
    w.attributeText(NFTA_TABLE_NAME, TABLE)
    w.end()
  }

  newChain(): void {
    const w = this.#start(NFT_MSG_NEWCHAIN, NLM_F_CREATE)
    w.attributeText(NFTA_CHAIN_TABLE, TABLE)
    w.attributeText(NFTA_CHAIN_NAME, CHAIN)
    w.attributeText(NFTA_CHAIN_TYPE, 'filter')
    be32(w, NFTA_CHAIN_POLICY, NF_ACCEPT)
    nest(w, NFTA_CHAIN_HOOK, () => {
      be32(w, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING)
      be32(w, NFTA_HOOK_PRIORITY, NF_IP_PRI_RAW)
    })
    w.end()
  }

  /** @param id unlike that of any other set in this batch, not 0 */
  newSet(name: string, id: number): void {
    const w = this.#start(NFT_MSG_NEWSET, NLM_F_CREATE)
    w.attributeText(NFTA_SET_TABLE, TABLE)
    w.attributeText(NFTA_SET_NAME, name)
    be32(w, NFTA_SET_FLAGS, NFT_SET_INTERVAL)
    be32(w, NFTA_SET_KEY_TYPE, TYPE_IP6ADDR)
    be32(w, NFTA_SET_KEY_LEN, 16)
    be32(w, NFTA_SET_ID, id)
    w.end()
  }

  /** Puts `members` (at most 512, since an attribute ends at 64 KiB) into a set. */
  newElements(set: string, members: readonly Range[]): void {
    const w = this.#start(NFT_MSG_NEWSETELEM, NLM_F_CREATE)
    w.attributeText(NFTA_SET_ELEM_LIST_TABLE, TABLE)
    w.attributeText(NFTA_SET_ELEM_LIST_SET, set)
    nest(w, NFTA_SET_ELEM_LIST_ELEMENTS, () => {
      for (const { first, end } of members) {
        element(w, first, 0)
        if (end !== undefined) element(w, end, NFT_SET_ELEM_INTERVAL_END)
      }
    })
    w.end()
  }

  /**
   * Drops unicast NS and NA to the addresses in `set` that arrive on `ifindex`, unless they are this machine's own.
   * @param mac the link's; undefined when it has none
   */
  newRule(ifindex: number, mac: Mac | undefined, set: string, id: number): void {
    const w = this.#start(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND)
    w.attributeText(NFTA_RULE_TABLE, TABLE)
    w.attributeText(NFTA_RULE_CHAIN, CHAIN)
    nest(w, NFTA_RULE_EXPRESSIONS, () => {
      meta(w, NFT_META_IIF)
      compare(w, NFT_CMP_EQ, () => w.attributeU32(NFTA_DATA_VALUE, ifindex))
      if (mac !== undefined) matchDestination(w, mac)
      meta(w, NFT_META_L4PROTO)
      compare(w, NFT_CMP_EQ, () => w.attribute(NFTA_DATA_VALUE, Uint8Array.of(IPPROTO_ICMPV6)))
      payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1)
      compare(w, NFT_CMP_GTE, () => w.attribute(NFTA_DATA_VALUE, Uint8Array.of(ND_NEIGHBOR_SOLICIT)))
      compare(w, NFT_CMP_LTE, () => w.attribute(NFTA_DATA_VALUE, Uint8Array.of(ND_NEIGHBOR_ADVERT)))
      payload(w, NFT_PAYLOAD_NETWORK_HEADER, IP6_DADDR_OFFSET, 16)
      expression(w, 'lookup', () => {
        be32(w, NFTA_LOOKUP_SREG, NFT_REG_1)
        w.attributeText(NFTA_LOOKUP_SET, set)
        be32(w, NFTA_LOOKUP_SET_ID, id)
      })
      expression(w, 'fib', () => {
        be32(w, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR)
        be32(w, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE)
        be32(w, NFTA_FIB_DREG, NFT_REG_1)
      })
      compare(w, NFT_CMP_NEQ, () => w.attributeU32(NFTA_DATA_VALUE, RTN_LOCAL))
      expression(w, 'immediate', () => {
        be32(w, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
        nest(w, NFTA_IMMEDIATE_DATA, () => {
          nest(w, NFTA_DATA_VERDICT, () => be32(w, NFTA_VERDICT_CODE, NF_DROP))
        })
      })
    })
    w.end()
  }

  /** Asks for an acknowledgement of the last message and closes the batch. @returns how many sequence numbers count. */
  end(): number {
    this.#w.acknowledge()
    const count = this.#count
    this.#begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
    this.#w.end()
    return count
  }

  #start(type: number, flags: number): MessageWriter {
    this.#begin(NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_IPV6, 0)
    return this.#w
  }

  /** The message header and struct nfgenmsg. */
  #begin(type: number, flags: number, family: number, resource: number): void {
    this.#w.begin(type, NLM_F_REQUEST | flags, this.#first + this.#count++)
    this.#w.u8(family)
    this.#w.u8(0)
    this.#w.raw(Uint8Array.of(resource >>> 8, resource))
  }
}

function be32(w: MessageWriter, type: number, value: number): void {
  w.attribute(type, Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value))
}

function nest(w: MessageWriter, type: number, fill: () => void): void {
  const at = w.open(type)
  fill()
  w.close(at)
}

function expression(w: MessageWriter, name: string, fill: () => void): void {
  nest(w, NFTA_LIST_ELEM, () => {
    w.attributeText(NFTA_EXPR_NAME, name)
    nest(w, NFTA_EXPR_DATA, fill)
  })
}

function meta(w: MessageWriter, key: number): void {
  expression(w, 'meta', () => {
    be32(w, NFTA_META_KEY, key)
    be32(w, NFTA_META_DREG, NFT_REG_1)
  })
}

function payload(w: MessageWriter, base: number, offset: number, length: number): void {
  expression(w, 'payload', () => {
    be32(w, NFTA_PAYLOAD_DREG, NFT_REG_1)
    be32(w, NFTA_PAYLOAD_BASE, base)
    be32(w, NFTA_PAYLOAD_OFFSET, offset)
    be32(w, NFTA_PAYLOAD_LEN, length)
  })
}

/** Frames to this link-layer address. nft wants to know that the link has such, or it could not print the rule. */
function matchDestination(w: MessageWriter, mac: Mac): void {
  meta(w, NFT_META_IIFTYPE)
  compare(w, NFT_CMP_EQ, () => w.attribute(NFTA_DATA_VALUE, new Uint8Array(Uint16Array.of(ARPHRD_ETHER).buffer)))
  payload(w, NFT_PAYLOAD_LL_HEADER, 0, 6)
  const bytes = new Uint8Array(6)
  writeMac(bytes, 0, mac)
  compare(w, NFT_CMP_EQ, () => w.attribute(NFTA_DATA_VALUE, bytes))
}

/** The value is in the order in which the kernel has it: host order for its own numbers, network order for packets'. */
function compare(w: MessageWriter, op: number, value: () => void): void {
  expression(w, 'cmp', () => {
    be32(w, NFTA_CMP_SREG, NFT_REG_1)
    be32(w, NFTA_CMP_OP, op)
    nest(w, NFTA_CMP_DATA, value)
  })
}

function element(w: MessageWriter, key: Address, flags: number): void {
  nest(w, NFTA_LIST_ELEM, () => {
    if (flags !== 0) be32(w, NFTA_SET_ELEM_FLAGS, flags)
    nest(w, NFTA_SET_ELEM_KEY, () => w.attributeAddress(NFTA_DATA_VALUE, key))
  })
}
