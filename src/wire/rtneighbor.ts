/**
 * rtnetlink messages of neighbors (rtnetlink(7), linux/neighbour.h): entries of the IPv6 neighbor table (RFC 4861 5.1), and
 * entries of the forwarding tables of bridges, which use the same messages in the family AF_BRIDGE.
 */
import type { Address, Mac } from '../address.ts'
import { assemble, JUMP_EQUAL, LOAD_BYTE, RETURN } from './filter.ts'
import { Attributes, NLM_F_DUMP, NLM_F_REQUEST, readU16, readU32 } from './netlink.ts'
import type { Message, MessageWriter } from './netlink.ts'
import { AF_INET6 } from './rtnetlink.ts'

export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
const RTM_GETNEIGH = 30
export const RTNLGRP_NEIGH = 3

const AF_BRIDGE = 7
const NDA_DST = 1, NDA_LLADDR = 2, NDA_VLAN = 5, NDA_MASTER = 9
const NTF_PROXY = 0x08, NTF_ROUTER = 0x80
export const NUD_REACHABLE = 0x02
export const NUD_STALE = 0x04
export const NUD_DELAY = 0x08
export const NUD_PROBE = 0x10
export const NUD_FAILED = 0x20
export const NUD_PERMANENT = 0x80

/** struct ndmsg: family, 3 bytes of padding, ifindex, state, flags, type. */
const HEADER = 12

/** Offset of the address in the datagram: NDA_DST is the first attribute. MULTICAST is the first byte of a group. */
const DST = 16 + HEADER + 4
const MULTICAST = 0xff

/** RTM_NEWNEIGH, RTM_DELNEIGH. */
export interface NeighborMessage {
  readonly ifindex: number
  readonly address: Address
  readonly lladdr: Mac | undefined
  /** One of NUD_*; 0 for none. */
  readonly state: number
  /** A kernel proxy entry (`ip neigh add proxy`), not a neighbor. */
  readonly proxy: boolean
  /** IsRouter (RFC 4861 5.1). */
  readonly router: boolean
}

/** RTM_NEWNEIGH, RTM_DELNEIGH of a bridge: the port of a link-layer address. */
export interface StationMessage {
  /** ifindex of the bridge. */
  readonly bridge: number
  /** ifindex of the port, or of the bridge for the addresses of the bridge itself. */
  readonly port: number
  readonly mac: Mac
  /** 0 if the bridge does not filter by VLAN. */
  readonly vlan: number
  /** NUD_PERMANENT: an address of this machine, on the bridge or on a port. */
  readonly own: boolean
}

/** Decodes RTM_*NEIGH of IPv6. @returns undefined for other types, messages that are too short, and other families */
export function decodeNeighbor(message: Message): NeighborMessage | undefined {
  const attributes = attributesOf(message, AF_INET6)
  const address = attributes?.address(NDA_DST)
  if (attributes === undefined || address === undefined) return undefined
  const { bytes, start } = message
  return {
    ifindex: readU32(bytes, start + 4),
    address,
    lladdr: attributes.mac(NDA_LLADDR),
    state: readU16(bytes, start + 8),
    proxy: (bytes[start + 10] & NTF_PROXY) !== 0,
    router: (bytes[start + 10] & NTF_ROUTER) !== 0,
  }
}

/**
 * Decodes RTM_*NEIGH of a bridge.
 * @returns undefined for other types, messages that are too short, and entries without a bridge (`self`: tables of devices)
 */
export function decodeStation(message: Message): StationMessage | undefined {
  const attributes = attributesOf(message, AF_BRIDGE)
  const bridge = attributes?.u32(NDA_MASTER)
  if (attributes === undefined || bridge === undefined) return undefined
  const mac = attributes.mac(NDA_LLADDR)
  if (mac === undefined) return undefined
  const { bytes, start } = message
  const vlan = attributes.find(NDA_VLAN, 2)
  return {
    bridge,
    port: readU32(bytes, start + 4),
    mac,
    vlan: vlan === undefined ? 0 : readU16(bytes, vlan.start),
    own: (readU16(bytes, start + 8) & NUD_PERMANENT) !== 0,
  }
}

/** Requests all IPv6 neighbors. */
export function dumpNeighbors(w: MessageWriter, sequence: number): void { dump(w, sequence, AF_INET6) }

/** Requests the forwarding tables of all bridges; the answer contains those of other devices too. */
export function dumpStations(w: MessageWriter, sequence: number): void { dump(w, sequence, AF_BRIDGE) }

/**
 * Builds a filter for a socket in RTNLGRP_NEIGH: it passes entries of bridges and IPv6 neighbors, without groups. The kernel
 * has an entry for each group that it sends to, so for each probe, and reports thousands of them at once when it drops them.
 */
export function neighborFilter(): Uint8Array {
  return assemble([
    { code: LOAD_BYTE, k: 16 },
    { code: JUMP_EQUAL, k: AF_BRIDGE, equal: 'pass' },
    { code: JUMP_EQUAL, k: AF_INET6, other: 'drop' },
    { code: LOAD_BYTE, k: DST },
    { code: JUMP_EQUAL, k: MULTICAST, equal: 'drop' },
    { label: 'pass', code: RETURN, k: 0xffff },
    { label: 'drop', code: RETURN, k: 0 },
  ])
}

function attributesOf({ bytes, type, start, end }: Message, family: number): Attributes | undefined {
  if (type !== RTM_NEWNEIGH && type !== RTM_DELNEIGH) return undefined
  if (end - start < HEADER || bytes[start] !== family) return undefined
  return new Attributes(bytes, start + HEADER, end)
}

function dump(w: MessageWriter, sequence: number, family: number): void {
  w.begin(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, sequence)
  w.raw(Uint8Array.of(family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
  w.end()
}
