/**
 * The two rules of the table `ip6 ndp6d` as nf_tables expressions (linux/netfilter/nf_tables.h); nftables.ts shows them in
 * nft's language, and has the messages that carry them.
 *
 * nf_tables takes its numbers in network byte order, except what is compared with kernel numbers (ifindex).
 */
import { writeMac } from '../address.ts'
import type { Mac } from '../address.ts'
import { NEIGHBOR_ADVERTISEMENT, NEIGHBOR_SOLICITATION } from './constants.ts'
import { DESTINATION, ICMPV6, SOURCE } from './frame.ts'
import type { MessageWriter } from './netlink.ts'

export const NFTA_LIST_ELEM = 1
export const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
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
const NFTA_BITWISE_SREG = 1
const NFTA_BITWISE_DREG = 2
const NFTA_BITWISE_LEN = 3
const NFTA_BITWISE_MASK = 4
const NFTA_BITWISE_XOR = 5
const NFTA_LOOKUP_SET = 1
const NFTA_LOOKUP_SREG = 2
const NFTA_LOOKUP_SET_ID = 4
const NFTA_FIB_DREG = 1
const NFTA_FIB_RESULT = 2
const NFTA_FIB_FLAGS = 3
const NFTA_IMMEDIATE_DREG = 1
const NFTA_IMMEDIATE_DATA = 2
const NFTA_LOG_GROUP = 1

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
const NF_DROP = 0
const ARPHRD_ETHER = 1

/** ff02::1:ff00:0/104 (RFC 4291 2.7.1). */
const SOLICITED_NODE = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff)
/** The last three bytes of an IPv6 header's first word have the flow label and half of the traffic class. */
const FLOW_LABEL = 1
const FLOW_LABEL_MASK = Uint8Array.of(0x0f, 0xff, 0xff)

/**
 * Drops NS and NA to the addresses in a set that arrive on `ifindex`, unless they are this machine's own.
 * @param mac the link's; undefined when it has none. @param id of the set named `set`
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
  expression(w, 'fib', () => {
    w.attributeBe32(NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR)
    w.attributeBe32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE)
    w.attributeBe32(NFTA_FIB_DREG, NFT_REG_1)
  })
  compare(w, NFT_CMP_NEQ, () => w.attributeU32(NFTA_DATA_VALUE, RTN_LOCAL))
  expression(w, 'immediate', () => {
    w.attributeBe32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
    w.nest(NFTA_IMMEDIATE_DATA, () => {
      w.nest(NFTA_DATA_VERDICT, () => w.attributeBe32(NFTA_VERDICT_CODE, NF_DROP))
    })
  })
}

/**
 * Shows multicast NSs with flow label 0, other than those of DAD, to who has bound `group`. The kernel's are such. Those
 * of ndp6d leave by a raw socket, with an automatic flow label (RFC 6437 3); where that is switched off
 * (net.ipv6.auto_flowlabels 0) they are shown as well.
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

/** ICMPv6, whose type is to be compared next. */
function matchIcmpv6(w: MessageWriter): void {
  meta(w, NFT_META_L4PROTO)
  compareBytes(w, NFT_CMP_EQ, ICMPV6)
  payload(w, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1)
}

/** Frames to this link-layer address. nft wants to know that the link has such, or it could not print the rule. */
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

function meta(w: MessageWriter, key: number): void {
  expression(w, 'meta', () => {
    w.attributeBe32(NFTA_META_KEY, key)
    w.attributeBe32(NFTA_META_DREG, NFT_REG_1)
  })
}

function payload(w: MessageWriter, base: number, offset: number, length: number): void {
  expression(w, 'payload', () => {
    w.attributeBe32(NFTA_PAYLOAD_DREG, NFT_REG_1)
    w.attributeBe32(NFTA_PAYLOAD_BASE, base)
    w.attributeBe32(NFTA_PAYLOAD_OFFSET, offset)
    w.attributeBe32(NFTA_PAYLOAD_LEN, length)
  })
}

function compareBytes(w: MessageWriter, op: number, ...bytes: readonly number[]): void {
  compare(w, op, () => w.attribute(NFTA_DATA_VALUE, Uint8Array.from(bytes)))
}

/** The value is in the order in which the kernel has it: host order for its own numbers, network order for packets'. */
function compare(w: MessageWriter, op: number, value: () => void): void {
  expression(w, 'cmp', () => {
    w.attributeBe32(NFTA_CMP_SREG, NFT_REG_1)
    w.attributeBe32(NFTA_CMP_OP, op)
    w.nest(NFTA_CMP_DATA, value)
  })
}
