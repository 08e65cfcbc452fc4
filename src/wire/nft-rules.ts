/**
 * The two rules of the table `ip6 ndp6d` as nf_tables expressions (linux/netfilter/nf_tables.h); nftables.ts has them in the
 * language of nft. Numbers are in network byte order, except values compared with numbers of the kernel (ifindex).
 */
import { writeMac } from '../address.ts'
import type { Mac } from '../address.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from './constants.ts'
import { DESTINATION, ICMPV6, SOURCE } from './frame.ts'
import type { MessageWriter } from './netlink.ts'

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
const NFTA_LOG_GROUP = 1

const NFT_REG_VERDICT = 0, NFT_REG_1 = 1
const NFT_CMP_EQ = 0, NFT_CMP_NEQ = 1, NFT_CMP_LTE = 3, NFT_CMP_GTE = 5
const NFT_META_IIF = 4, NFT_META_IIFTYPE = 8, NFT_META_L4PROTO = 16
const NFT_PAYLOAD_LL_HEADER = 0, NFT_PAYLOAD_NETWORK_HEADER = 1, NFT_PAYLOAD_TRANSPORT_HEADER = 2
const NFT_FIB_RESULT_ADDRTYPE = 3, NFTA_FIB_F_DADDR = 2
const RTN_LOCAL = 2
const NF_DROP = 0
const ARPHRD_ETHER = 1

/** ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
const SOLICITED_NODE = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff)
/** Offset of the flow label in the IPv6 header; its first four bits belong to the traffic class. */
const FLOW_LABEL = 1
const FLOW_LABEL_MASK = Uint8Array.of(0x0f, 0xff, 0xff)

/**
 * Writes a rule that drops NS and NA received on `ifindex` to the addresses in a set, except addresses of this machine.
 * @param mac link-layer address of the link; undefined if it has none
 * @param id id of the set named `set`
 */
export function writeDrop(w: MessageWriter, ifindex: number, mac: Mac | undefined, set: string, id: number): void {
  meta(w, NFT_META_IIF)
  compare(w, NFT_CMP_EQ, () => w.attributeU32(NFTA_DATA_VALUE, ifindex))
  if (mac !== undefined) matchDestination(w, mac)
  matchIcmpv6(w)
  compareBytes(w, NFT_CMP_GTE, NEIGHBOR_SOLICITATION)
  compareBytes(w, NFT_CMP_LTE, NEIGHBOR_ADVERTISEMENT)
  payload(w, NFT_PAYLOAD_NETWORK_HEADER, DESTINATION, 16)
  expression(w, 'lookup', () => {
    w.attributeBe32(NFTA_LOOKUP_SREG, NFT_REG_1)
    w.attributeText(NFTA_LOOKUP_SET, set)
    w.attributeBe32(NFTA_LOOKUP_SET_ID, id)
  })
  numbers(w, 'fib', [NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR], [NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE], [NFTA_FIB_DREG, NFT_REG_1])
  compare(w, NFT_CMP_NEQ, () => w.attributeU32(NFTA_DATA_VALUE, RTN_LOCAL))
  expression(w, 'immediate', () => {
    w.attributeBe32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
    w.nest(NFTA_IMMEDIATE_DATA, () => {
      w.nest(NFTA_DATA_VERDICT, () => w.attributeBe32(NFTA_VERDICT_CODE, NF_DROP))
    })
  })
}

/**
 * Writes a rule that logs multicast NSs of the kernel to `group`: those with flow label 0, without DAD. ndp6d sends its own by a
 * raw socket with an automatic flow label (RFC 6437 3), except with net.ipv6.auto_flowlabels 0, where they are logged too.
 */
export function writeLog(w: MessageWriter, group: number): void {
  matchIcmpv6(w)
  compareBytes(w, NFT_CMP_EQ, NEIGHBOR_SOLICITATION)
  payload(w, NFT_PAYLOAD_NETWORK_HEADER, DESTINATION, SOLICITED_NODE.length)
  compareBytes(w, NFT_CMP_EQ, ...SOLICITED_NODE)
  payload(w, NFT_PAYLOAD_NETWORK_HEADER, SOURCE, 16)
  compareBytes(w, NFT_CMP_NEQ, ...new Uint8Array(16))
  payload(w, NFT_PAYLOAD_NETWORK_HEADER, FLOW_LABEL, 3)
  expression(w, 'bitwise', () => {
    w.attributeBe32(NFTA_BITWISE_SREG, NFT_REG_1)
    w.attributeBe32(NFTA_BITWISE_DREG, NFT_REG_1)
    w.attributeBe32(NFTA_BITWISE_LEN, 3)
    w.nest(NFTA_BITWISE_MASK, () => w.attribute(NFTA_DATA_VALUE, FLOW_LABEL_MASK))
    w.nest(NFTA_BITWISE_XOR, () => w.attribute(NFTA_DATA_VALUE, new Uint8Array(3)))
  })
  compareBytes(w, NFT_CMP_EQ, 0, 0, 0)
  expression(w, 'log', () => w.attribute(NFTA_LOG_GROUP, Uint8Array.of(group >>> 8, group)))
}

/** Matches ICMPv6 and loads the type for the next comparison. */
function matchIcmpv6(w: MessageWriter): void {
  meta(w, NFT_META_L4PROTO)
  compareBytes(w, NFT_CMP_EQ, ICMPV6)
  payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1)
}

/** Matches frames to a link-layer address. The match of the link type lets nft print the rule. */
function matchDestination(w: MessageWriter, mac: Mac): void {
  meta(w, NFT_META_IIFTYPE)
  compareBytes(w, NFT_CMP_EQ, ...new Uint8Array(Uint16Array.of(ARPHRD_ETHER).buffer))
  payload(w, NFT_PAYLOAD_LL_HEADER, 0, 6)
  const bytes = new Uint8Array(6)
  writeMac(bytes, 0, mac)
  compareBytes(w, NFT_CMP_EQ, ...bytes)
}

function expression(w: MessageWriter, name: string, fill: () => void): void {
  w.nest(NFTA_LIST_ELEM, () => {
    w.attributeText(NFTA_EXPR_NAME, name)
    w.nest(NFTA_EXPR_DATA, fill)
  })
}

/** Writes an expression with numbers in network order. */
function numbers(w: MessageWriter, name: string, ...attributes: readonly (readonly [type: number, value: number])[]): void {
  expression(w, name, () => { for (const [type, value] of attributes) w.attributeBe32(type, value) })
}

function meta(w: MessageWriter, key: number): void {
  numbers(w, 'meta', [NFTA_META_KEY, key], [NFTA_META_DREG, NFT_REG_1])
}

function payload(w: MessageWriter, base: number, offset: number, length: number): void {
  numbers(w, 'payload', [NFTA_PAYLOAD_DREG, NFT_REG_1], [NFTA_PAYLOAD_BASE, base], [NFTA_PAYLOAD_OFFSET, offset],
    [NFTA_PAYLOAD_LEN, length])
}

function compareBytes(w: MessageWriter, op: number, ...bytes: readonly number[]): void {
  compare(w, op, () => w.attribute(NFTA_DATA_VALUE, Uint8Array.from(bytes)))
}

/** Compares register 1. `value` writes numbers of the kernel in host order, numbers of packets in network order. */
function compare(w: MessageWriter, op: number, value: () => void): void {
  expression(w, 'cmp', () => {
    w.attributeBe32(NFTA_CMP_SREG, NFT_REG_1)
    w.attributeBe32(NFTA_CMP_OP, op)
    w.nest(NFTA_CMP_DATA, value)
  })
}
