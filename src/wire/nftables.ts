/**
 * nf_tables messages of the table `ip6 ndp6d` (linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, nft(8)). The table drops NSs and
 * NAs that the kernel would forward or reject. It logs the multicast NSs of the kernel. On a link without neighbor resolution it logs
 * outgoing packets whose destination may be on another link. In the language of nft:
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
 *       chain postrouting {
 *         type filter hook postrouting priority filter; policy accept
 *         meta oif 4 ip6 daddr @p4 limit rate 1000/second burst 256 packets log group 58135
 *       }
 *     }
 *
 * With br_netfilter the drop rule also sees frames between the ports of a bridge, so it compares the destination MAC. The output chain sees
 * neither forwarded packets nor those of packet sockets. nft-rules.ts writes the rules.
 */
import { Address, type Mac, type Prefix, wordMask } from '../address.ts'
import type { AttributeList, MessageWriter } from './netlink-encode.ts'
import { NLM_F_CREATE, NLM_F_REQUEST } from './netlink.ts'
import { dropRule, logRule, NFTA_DATA_VALUE, NFTA_LIST_ELEM, unresolvedRule } from './nft-rules.ts'

const TABLE = 'ndp6d'

/** The kernel deletes the table when the socket that created it is closed (since Linux 5.12). */
export const NFT_TABLE_F_OWNER = 2

const NFNL_SUBSYS_NFTABLES = 10
const NFNL_MSG_BATCH_BEGIN = 0x10, NFNL_MSG_BATCH_END = 0x11
const NFT_MSG_NEWTABLE = 0, NFT_MSG_DELTABLE = 2, NFT_MSG_NEWCHAIN = 3, NFT_MSG_NEWRULE = 6, NFT_MSG_NEWSET = 9, NFT_MSG_NEWSETELEM = 12
const NLM_F_APPEND = 0x800

/** struct nfgenmsg of a message about the table: family NFPROTO_IPV6, version and resource 0. */
const HEADER = [10, 0, 0, 0]
/** struct nfgenmsg at the beginning and the end of a batch: family AF_UNSPEC, version 0; the resource is the subsystem. */
const BATCH_HEADER = [0, 0, 0, NFNL_SUBSYS_NFTABLES]
const NF_ACCEPT = 1

/** Hooks and priorities: NF_INET_PRE_ROUTING at NF_IP_PRI_RAW, NF_INET_LOCAL_OUT and NF_INET_POST_ROUTING at NF_IP_PRI_FILTER. */
const CHAINS = { prerouting: { hook: 0, priority: -300 }, output: { hook: 3, priority: 0 }, postrouting: { hook: 4, priority: 0 } } as const

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

/** The addresses from `first` up to, but without, `end`; if `end` is undefined, up to the last IPv6 address. */
export interface Range {
  readonly first: Address
  readonly end: Address | undefined
}

/** @returns the address after the last address of `prefix`; undefined if `prefix` ends with the last IPv6 address */
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

/** @returns the addresses in `from` that are not in `holes`. Both lists, and the result, are ascending with gaps between the ranges. */
export function subtract(from: readonly Range[], holes: readonly Range[]): Range[] {
  const result: Range[] = []
  const isBefore = (address: Address, end: Address | undefined): boolean => end === undefined || address.compare(end) < 0
  let next = 0
  for (const { first, end } of from) {
    while (next < holes.length && !isBefore(first, holes[next].end)) next++
    let rest: Address | undefined = first
    for (let at = next; rest !== undefined && at < holes.length && isBefore(holes[at].first, end); at++) {
      if (isBefore(rest, holes[at].first)) result.push({ first: rest, end: holes[at].first })
      rest = holes[at].end
    }
    if (rest !== undefined && isBefore(rest, end)) result.push({ first: rest, end })
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
    this.#add(NFNL_MSG_BATCH_BEGIN, 0, BATCH_HEADER)
  }

  /** Creates the table unless it exists. `flags`: 0 or NFT_TABLE_F_OWNER. */
  newTable(flags: number): void { this.#change(NFT_MSG_NEWTABLE, NLM_F_CREATE, [[NFTA_TABLE_NAME, TABLE], [NFTA_TABLE_FLAGS, flags]]) }

  /** Deletes the table with its contents; the batch fails if the table does not exist. */
  deleteTable(): void { this.#change(NFT_MSG_DELTABLE, 0, [[NFTA_TABLE_NAME, TABLE]]) }

  newChain(name: keyof typeof CHAINS): void {
    const { hook, priority } = CHAINS[name]
    this.#change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, [
      [NFTA_CHAIN_TABLE, TABLE], [NFTA_CHAIN_NAME, name], [NFTA_CHAIN_TYPE, 'filter'], [NFTA_CHAIN_POLICY, NF_ACCEPT],
      [NFTA_CHAIN_HOOK, [[NFTA_HOOK_HOOKNUM, hook], [NFTA_HOOK_PRIORITY, priority]]],
    ])
  }

  /** @param id unique in this batch, not 0 */
  newSet(name: string, id: number): void {
    this.#change(NFT_MSG_NEWSET, NLM_F_CREATE, [
      [NFTA_SET_TABLE, TABLE], [NFTA_SET_NAME, name], [NFTA_SET_FLAGS, NFT_SET_INTERVAL], [NFTA_SET_KEY_TYPE, TYPE_IP6ADDR],
      [NFTA_SET_KEY_LEN, 16], [NFTA_SET_ID, id],
    ])
  }

  /** Adds `members` to a set: at most 512 ranges per call, since an attribute is limited to 64 KiB. */
  newElements(set: string, members: readonly Range[]): void {
    const element = (key: Address, flags?: number): AttributeList[number] =>
      [NFTA_LIST_ELEM, [[NFTA_SET_ELEM_FLAGS, flags], [NFTA_SET_ELEM_KEY, [[NFTA_DATA_VALUE, key]]]]]
    const elements = members.flatMap(({ first, end }) =>
      end === undefined ? [element(first)] : [element(first), element(end, NFT_SET_ELEM_INTERVAL_END)])
    this.#change(NFT_MSG_NEWSETELEM, NLM_F_CREATE, [
      [NFTA_SET_ELEM_LIST_TABLE, TABLE], [NFTA_SET_ELEM_LIST_SET, set], [NFTA_SET_ELEM_LIST_ELEMENTS, elements],
    ])
  }

  /** Adds the rule of {@link dropRule}. */
  newDropRule(ifindex: number, mac: Mac | undefined, set: string, id: number): void {
    this.#newRule('prerouting', dropRule(ifindex, mac, set, id))
  }

  /** Adds the rule of {@link logRule}; nflog.ts receives the packets. */
  newLogRule(group: number): void { this.#newRule('output', logRule(group)) }

  /** Adds the rule of {@link unresolvedRule}. */
  newUnresolvedRule(ifindex: number, set: string, id: number, group: number): void {
    this.#newRule('postrouting', unresolvedRule(ifindex, set, id, group))
  }

  /** Requests an acknowledgement of the last message and ends the batch. @returns the number of messages before NFNL_MSG_BATCH_END */
  end(): number {
    this.#w.acknowledge()
    const count = this.#count
    this.#add(NFNL_MSG_BATCH_END, 0, BATCH_HEADER)
    return count
  }

  #newRule(chain: keyof typeof CHAINS, expressions: AttributeList): void {
    this.#change(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [
      [NFTA_RULE_TABLE, TABLE], [NFTA_RULE_CHAIN, chain], [NFTA_RULE_EXPRESSIONS, expressions],
    ])
  }

  #change(type: number, flags: number, attributes: AttributeList): void {
    this.#add(NFNL_SUBSYS_NFTABLES << 8 | type, flags, HEADER, attributes)
  }

  #add(type: number, flags: number, header: readonly number[], attributes?: AttributeList): void {
    this.#w.message(type, NLM_F_REQUEST | flags, this.#first + this.#count++, header, attributes)
  }
}
