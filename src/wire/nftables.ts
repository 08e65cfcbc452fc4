/**
 * nf_tables messages of the table `ip6 ndp6d` (linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, nft(8)). It drops NSs
 * before the kernel answers them and NAs before the kernel forwards them, and logs the multicast NSs of the kernel. In the
 * language of nft:
 *
 *     table ip6 ndp6d {
 *       flags owner
 *       set p2 { type ipv6_addr; flags interval; elements = { 2001:db8::/64 } }
 *       chain prerouting {
 *         type filter hook prerouting priority raw; policy accept
 *         meta iif 2 ether daddr 02:00:00:00:00:02 icmpv6 type 135-136 ip6 daddr @p2 fib daddr type != local drop
 *       }
 *       chain output {
 *         type filter hook output priority filter; policy accept
 *         icmpv6 type 135 ip6 daddr ff02::1:ff00:0/104 ip6 saddr != :: ip6 flowlabel 0 log group 58135
 *       }
 *     }
 *
 * With br_netfilter the rule also sees frames between the ports of a bridge, so it compares the link-layer address. Forwarded
 * packets and those of packet sockets pass no output chain. nft-rules.ts writes the rules.
 */
import { Address, wordMask } from '../address.ts'
import type { Mac, Prefix } from '../address.ts'
import { NLM_F_CREATE, NLM_F_REQUEST } from './netlink.ts'
import type { MessageWriter } from './netlink.ts'
import { NFTA_DATA_VALUE, NFTA_LIST_ELEM, writeDrop, writeLog } from './nft-rules.ts'

export const TABLE = 'ndp6d'

/** The kernel deletes the table when the socket that created it is closed (Linux 5.12). */
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
const NF_ACCEPT = 1

/** Hooks and priorities: NF_INET_PRE_ROUTING at NF_IP_PRI_RAW, NF_INET_LOCAL_OUT at NF_IP_PRI_FILTER. */
const CHAINS = { prerouting: { hook: 0, priority: -300 }, output: { hook: 3, priority: 0 } } as const

const NFTA_TABLE_NAME = 1, NFTA_TABLE_FLAGS = 2
const NFTA_CHAIN_TABLE = 1, NFTA_CHAIN_NAME = 3, NFTA_CHAIN_HOOK = 4, NFTA_CHAIN_POLICY = 5, NFTA_CHAIN_TYPE = 7
const NFTA_HOOK_HOOKNUM = 1, NFTA_HOOK_PRIORITY = 2
const NFTA_SET_TABLE = 1, NFTA_SET_NAME = 2, NFTA_SET_FLAGS = 3, NFTA_SET_KEY_TYPE = 4, NFTA_SET_KEY_LEN = 5, NFTA_SET_ID = 10
const NFTA_SET_ELEM_LIST_TABLE = 1, NFTA_SET_ELEM_LIST_SET = 2, NFTA_SET_ELEM_LIST_ELEMENTS = 3
const NFTA_SET_ELEM_KEY = 1, NFTA_SET_ELEM_FLAGS = 3
const NFTA_RULE_TABLE = 1, NFTA_RULE_CHAIN = 2, NFTA_RULE_EXPRESSIONS = 4

const NFT_SET_INTERVAL = 4
const NFT_SET_ELEM_INTERVAL_END = 1
/** Number of the type ipv6_addr in nft, so that `nft list` can print the set. */
const TYPE_IP6ADDR = 8

/** Addresses from `first` up to `end`, without it; up to the last address if `end` is undefined. */
export interface Range {
  readonly first: Address
  readonly end: Address | undefined
}

/** @returns the address after the last one of `prefix`; undefined if there is none */
function after({ address: a, length }: Prefix): Address | undefined {
  const words = [a.w0, a.w1, a.w2, a.w3].map((word, i) => (word | ~wordMask(length, i)) >>> 0)
  for (let i = 3; i >= 0; i--) {
    words[i] = (words[i] + 1) >>> 0
    if (words[i] !== 0) return new Address(words[0], words[1], words[2], words[3])
  }
  return undefined
}

/** Merges prefixes into ascending ranges with gaps between them, as an interval set requires. */
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

/** Writes the messages of one batch, which the kernel applies completely or not at all. */
export class Batch {
  readonly #w: MessageWriter
  readonly #first: number
  #count = 0

  /** @param first sequence number of the first message */
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
    w.attributeBe32(NFTA_TABLE_FLAGS, flags)
    w.end()
  }

  /** Deletes the table with its contents; the batch fails if the table does not exist. */
  deleteTable(): void {
    const w = this.#start(NFT_MSG_DELTABLE, 0)
    w.attributeText(NFTA_TABLE_NAME, TABLE)
    w.end()
  }

  /** Creates a base chain with the policy accept. */
  newChain(name: keyof typeof CHAINS): void {
    const w = this.#start(NFT_MSG_NEWCHAIN, NLM_F_CREATE)
    w.attributeText(NFTA_CHAIN_TABLE, TABLE)
    w.attributeText(NFTA_CHAIN_NAME, name)
    w.attributeText(NFTA_CHAIN_TYPE, 'filter')
    w.attributeBe32(NFTA_CHAIN_POLICY, NF_ACCEPT)
    w.nest(NFTA_CHAIN_HOOK, () => {
      w.attributeBe32(NFTA_HOOK_HOOKNUM, CHAINS[name].hook)
      w.attributeBe32(NFTA_HOOK_PRIORITY, CHAINS[name].priority)
    })
    w.end()
  }

  /** @param id unique in this batch, not 0 */
  newSet(name: string, id: number): void {
    const w = this.#start(NFT_MSG_NEWSET, NLM_F_CREATE)
    w.attributeText(NFTA_SET_TABLE, TABLE)
    w.attributeText(NFTA_SET_NAME, name)
    w.attributeBe32(NFTA_SET_FLAGS, NFT_SET_INTERVAL)
    w.attributeBe32(NFTA_SET_KEY_TYPE, TYPE_IP6ADDR)
    w.attributeBe32(NFTA_SET_KEY_LEN, 16)
    w.attributeBe32(NFTA_SET_ID, id)
    w.end()
  }

  /** Adds `members` to a set: at most 512, since an attribute is limited to 64 KiB. */
  newElements(set: string, members: readonly Range[]): void {
    const w = this.#start(NFT_MSG_NEWSETELEM, NLM_F_CREATE)
    w.attributeText(NFTA_SET_ELEM_LIST_TABLE, TABLE)
    w.attributeText(NFTA_SET_ELEM_LIST_SET, set)
    w.nest(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
      for (const { first, end } of members) {
        element(w, first, 0)
        if (end !== undefined) element(w, end, NFT_SET_ELEM_INTERVAL_END)
      }
    })
    w.end()
  }

  /** Adds the rule of {@link writeDrop}. */
  newDropRule(ifindex: number, mac: Mac | undefined, set: string, id: number): void {
    this.#rule('prerouting', (w) => writeDrop(w, ifindex, mac, set, id))
  }

  /** Adds the rule of {@link writeLog}; nflog.ts receives the packets. */
  newLogRule(group: number): void { this.#rule('output', (w) => writeLog(w, group)) }

  /** Requests an acknowledgement of the last message and ends the batch. @returns the number of messages before the end */
  end(): number {
    this.#w.acknowledge()
    const count = this.#count
    this.#begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
    this.#w.end()
    return count
  }

  #rule(chain: keyof typeof CHAINS, expressions: (w: MessageWriter) => void): void {
    const w = this.#start(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND)
    w.attributeText(NFTA_RULE_TABLE, TABLE)
    w.attributeText(NFTA_RULE_CHAIN, chain)
    w.nest(NFTA_RULE_EXPRESSIONS, () => expressions(w))
    w.end()
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

function element(w: MessageWriter, key: Address, flags: number): void {
  w.nest(NFTA_LIST_ELEM, () => {
    if (flags !== 0) w.attributeBe32(NFTA_SET_ELEM_FLAGS, flags)
    w.nest(NFTA_SET_ELEM_KEY, () => w.attributeAddress(NFTA_DATA_VALUE, key))
  })
}
