/**
 * The three rules of the table `ip6 ndp6d` as nf_tables expressions (linux/netfilter/nf_tables.h); nftables.ts shows these rules in the
 * language of nft. Numbers are in network byte order, except values compared with numbers of the kernel (ifindex).
 */
import { type Mac, writeMac } from '../address.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from './constants.ts'
import { DESTINATION, ICMPV6, SOURCE } from './frame.ts'
import { type AttributeList, hostOrder, type Value } from './netlink-encode.ts'

export const NFTA_LIST_ELEM = 1
export const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2, NFTA_VERDICT_CODE = 1
const NFTA_EXPR_NAME = 1, NFTA_EXPR_DATA = 2
const NFTA_META_DREG = 1, NFTA_META_KEY = 2
const NFTA_CMP_SREG = 1, NFTA_CMP_OP = 2, NFTA_CMP_DATA = 3
const NFTA_PAYLOAD_DREG = 1, NFTA_PAYLOAD_BASE = 2, NFTA_PAYLOAD_OFFSET = 3, NFTA_PAYLOAD_LEN = 4
const NFTA_BITWISE_SREG = 1, NFTA_BITWISE_DREG = 2, NFTA_BITWISE_LEN = 3, NFTA_BITWISE_MASK = 4, NFTA_BITWISE_XOR = 5
const NFTA_LOOKUP_SET = 1, NFTA_LOOKUP_SREG = 2, NFTA_LOOKUP_SET_ID = 4
const NFTA_FIB_DREG = 1, NFTA_FIB_RESULT = 2, NFTA_FIB_FLAGS = 3
const NFTA_IMMEDIATE_DREG = 1, NFTA_IMMEDIATE_DATA = 2
const NFTA_LIMIT_RATE = 1, NFTA_LIMIT_UNIT = 2, NFTA_LIMIT_BURST = 3
const NFTA_LOG_GROUP = 1

const NFT_REG_VERDICT = 0, NFT_REG_1 = 1
const NFT_CMP_EQ = 0, NFT_CMP_NEQ = 1, NFT_CMP_LTE = 3, NFT_CMP_GTE = 5
const NFT_META_IIF = 4, NFT_META_OIF = 5, NFT_META_IIFTYPE = 8, NFT_META_L4PROTO = 16
const NFT_PAYLOAD_LL_HEADER = 0, NFT_PAYLOAD_NETWORK_HEADER = 1, NFT_PAYLOAD_TRANSPORT_HEADER = 2
const NFT_FIB_RESULT_ADDRTYPE = 3, NFTA_FIB_F_DADDR = 2
const RTN_LOCAL = 2
const NF_DROP = 0
const ARPHRD_ETHER = 1

/** Limits for the packets that an {@link unresolvedRule} logs: in a second, and in one burst. */
const PACKETS = 1000, PACKET_BURST = 256
/** ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
const SOLICITED_NODE = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff)
/** Offset of the flow label in the IPv6 header. The first four bits of the byte at this offset belong to the traffic class. */
const FLOW_LABEL = 1
const FLOW_LABEL_MASK = Uint8Array.of(0x0f, 0xff, 0xff)

/**
 * Builds a rule that drops NSs and NAs received on `ifindex`, if their destination is in set `set` (with this `id`) and not an address of
 * this machine. @param mac the rule drops frames to this link-layer address only; undefined on links without link-layer addresses
 */
export function dropRule(ifindex: number, mac: Mac | undefined, set: string, id: number): AttributeList {
  return [
    meta(NFT_META_IIF),
    compare(NFT_CMP_EQ, hostOrder(ifindex)),
    ...mac === undefined ? [] : matchDestination(mac),
    ...ICMPV6_TYPE,
    compare(NFT_CMP_GTE, Uint8Array.of(NEIGHBOR_SOLICITATION)),
    compare(NFT_CMP_LTE, Uint8Array.of(NEIGHBOR_ADVERTISEMENT)),
    ...inSet(set, id),
    expression('fib', [[NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR], [NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE], [NFTA_FIB_DREG, NFT_REG_1]]),
    compare(NFT_CMP_NEQ, hostOrder(RTN_LOCAL)),
    expression('immediate', [
      [NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT], [NFTA_IMMEDIATE_DATA, [[NFTA_DATA_VERDICT, [[NFTA_VERDICT_CODE, NF_DROP]]]]],
    ]),
  ]
}

/**
 * Builds a rule that logs multicast NSs of the kernel, except for DAD, to `group`. NSs of the kernel have flow label 0. NSs of other
 * programs have an automatic flow label (RFC 6437 3), because a raw socket sends them. NSs of ndp6d do not reach the rule, because they
 * leave by packet sockets.
 */
export function logRule(group: number): AttributeList {
  return [
    ...ICMPV6_TYPE,
    compare(NFT_CMP_EQ, Uint8Array.of(NEIGHBOR_SOLICITATION)),
    payload(NFT_PAYLOAD_NETWORK_HEADER, DESTINATION, SOLICITED_NODE.length),
    compare(NFT_CMP_EQ, SOLICITED_NODE),
    payload(NFT_PAYLOAD_NETWORK_HEADER, SOURCE, 16),
    compare(NFT_CMP_NEQ, new Uint8Array(16)),
    payload(NFT_PAYLOAD_NETWORK_HEADER, FLOW_LABEL, 3),
    expression('bitwise', [
      [NFTA_BITWISE_SREG, NFT_REG_1], [NFTA_BITWISE_DREG, NFT_REG_1], [NFTA_BITWISE_LEN, 3],
      [NFTA_BITWISE_MASK, [[NFTA_DATA_VALUE, FLOW_LABEL_MASK]]], [NFTA_BITWISE_XOR, [[NFTA_DATA_VALUE, new Uint8Array(3)]]],
    ]),
    compare(NFT_CMP_EQ, new Uint8Array(3)),
    log(group),
  ]
}

/**
 * Builds a rule that logs packets to `group`, if they leave by `ifindex` and their destination is in set `set` (with this `id`). The
 * rule is for links without neighbor resolution, where the kernel sends packets to unknown hosts without a solicitation. Packets to known
 * hosts of other links are not logged: the host routes lead these packets to the other links.
 */
export function unresolvedRule(ifindex: number, set: string, id: number, group: number): AttributeList {
  return [
    meta(NFT_META_OIF),
    compare(NFT_CMP_EQ, hostOrder(ifindex)),
    ...inSet(set, id),
    expression('limit', [[NFTA_LIMIT_RATE, word64(PACKETS)], [NFTA_LIMIT_UNIT, word64(1)], [NFTA_LIMIT_BURST, PACKET_BURST]]),
    log(group),
  ]
}

/** Matches destinations in a set. */
function inSet(set: string, id: number): AttributeList {
  return [payload(NFT_PAYLOAD_NETWORK_HEADER, DESTINATION, 16),
    expression('lookup', [[NFTA_LOOKUP_SREG, NFT_REG_1], [NFTA_LOOKUP_SET, set], [NFTA_LOOKUP_SET_ID, id]])]
}

function log(group: number): AttributeList[number] { return expression('log', [[NFTA_LOG_GROUP, Uint8Array.of(group >>> 8, group)]]) }
function word64(value: number): Uint8Array { return Uint8Array.of(0, 0, 0, 0, value >>> 24, value >>> 16, value >>> 8, value) }

/** Matches ICMPv6 and loads the type for the next comparison. */
const ICMPV6_TYPE = [
  meta(NFT_META_L4PROTO), compare(NFT_CMP_EQ, Uint8Array.of(ICMPV6)), payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1),
]

/** Matches frames to a link-layer address. Matches the link type as well, because nft needs it to print the rule. */
function matchDestination(mac: Mac): AttributeList {
  const bytes = new Uint8Array(6)
  writeMac(bytes, 0, mac)
  const ethernet = new Uint8Array(Uint16Array.of(ARPHRD_ETHER).buffer)
  return [meta(NFT_META_IIFTYPE), compare(NFT_CMP_EQ, ethernet), payload(NFT_PAYLOAD_LL_HEADER, 0, 6), compare(NFT_CMP_EQ, bytes)]
}

function expression(name: string, data: AttributeList): AttributeList[number] {
  return [NFTA_LIST_ELEM, [[NFTA_EXPR_NAME, name], [NFTA_EXPR_DATA, data]]]
}

function meta(key: number): AttributeList[number] { return expression('meta', [[NFTA_META_KEY, key], [NFTA_META_DREG, NFT_REG_1]]) }

function payload(base: number, offset: number, length: number): AttributeList[number] {
  return expression('payload', [
    [NFTA_PAYLOAD_DREG, NFT_REG_1], [NFTA_PAYLOAD_BASE, base], [NFTA_PAYLOAD_OFFSET, offset], [NFTA_PAYLOAD_LEN, length],
  ])
}

/** Compares register 1. @param value a number of the kernel in host order, or a field of a packet in network order */
function compare(op: number, value: Value): AttributeList[number] {
  return expression('cmp', [[NFTA_CMP_SREG, NFT_REG_1], [NFTA_CMP_OP, op], [NFTA_CMP_DATA, [[NFTA_DATA_VALUE, value]]]])
}
