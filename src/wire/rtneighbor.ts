/** rtnetlink messages of IPv6 neighbors (linux/neighbour.h), and of entries in the forwarding tables of bridges (AF_BRIDGE). */
import { type Address, type Mac, writeMac } from '../address.ts'
import { assemble, END, JUMP_EQUAL, LOAD_BYTE } from './filter.ts'
import type { MessageWriter } from './netlink-encode.ts'
import { attributesOf, type Message, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, readU16, readU32 } from './netlink.ts'
import { AF_INET6 } from './rtnetlink.ts'

export const RTM_NEWNEIGH = 28, RTM_DELNEIGH = 29
const RTM_GETNEIGH = 30
export const RTNLGRP_NEIGH = 3

const AF_BRIDGE = 7
const NDA_DST = 1, NDA_LLADDR = 2, NDA_VLAN = 5, NDA_MASTER = 9
const NTF_PROXY = 0x08, NTF_ROUTER = 0x80
const NUD_INCOMPLETE = 0x01, NUD_NOARP = 0x40
export const NUD_REACHABLE = 0x02, NUD_STALE = 0x04, NUD_DELAY = 0x08, NUD_PROBE = 0x10, NUD_FAILED = 0x20, NUD_PERMANENT = 0x80

const NAMES: readonly [number, string][] = [[NUD_INCOMPLETE, 'INCOMPLETE'], [NUD_REACHABLE, 'REACHABLE'], [NUD_STALE, 'STALE'],
  [NUD_DELAY, 'DELAY'], [NUD_PROBE, 'PROBE'], [NUD_FAILED, 'FAILED'], [NUD_NOARP, 'NOARP'], [NUD_PERMANENT, 'PERMANENT']]

/** struct ndmsg: family, 3 bytes of padding, ifindex, state, flags, type. */
const HEADER = 12

/** DST: offset of the address in the datagram, where NDA_DST is the first attribute. MULTICAST: first byte of an IPv6 group. */
const DST = 16 + HEADER + 4
const MULTICAST = 0xff

export interface NeighborMessage {
  readonly ifindex: number
  readonly address: Address
  readonly lladdr: Mac | undefined
  /** One of NUD_*; 0 is NUD_NONE. */
  readonly state: number
  /** A kernel proxy entry (`ip neigh add proxy`), not a neighbor. */
  readonly proxy: boolean
  /** IsRouter (RFC 4861 5.1). */
  readonly router: boolean
}

/** RTM_NEWNEIGH, RTM_DELNEIGH of a bridge: a link-layer address behind one of its ports, or of the bridge itself. */
export interface StationMessage {
  /** ifindex of the bridge. */
  readonly bridge: number
  /** ifindex of the port, or of the bridge for an address of the bridge. */
  readonly port: number
  readonly mac: Mac
  /** 0 if the bridge does not filter by VLAN. */
  readonly vlan: number
  /** NUD_PERMANENT: an address of this machine, on the bridge or on a port. */
  readonly own: boolean
}

/** @returns the name of a state as ip-neighbour(8) prints it */
export function stateName(state: number): string { return NAMES.find(([bit]) => (state & bit) !== 0)?.[1] ?? 'NONE' }

/** @returns whether the state is neither INCOMPLETE nor FAILED */
export function hasNotFailed(state: number): boolean { return (state & (NUD_INCOMPLETE | NUD_FAILED)) === 0 }

/** Decodes RTM_*NEIGH of IPv6. @returns undefined for other types, messages that are too short, and other families */
export function decodeNeighbor(message: Message): NeighborMessage | undefined {
  const attributes = attributesOf(message, RTM_NEWNEIGH, HEADER, AF_INET6)
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

/** Decodes RTM_*NEIGH of a bridge. @returns undefined for other messages, and for entries in the table of a device (`self`) */
export function decodeStation(message: Message): StationMessage | undefined {
  const attributes = attributesOf(message, RTM_NEWNEIGH, HEADER, AF_BRIDGE)
  const bridge = attributes?.u32(NDA_MASTER)
  const mac = attributes?.mac(NDA_LLADDR)
  if (attributes === undefined || bridge === undefined || mac === undefined) return undefined
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

export function dumpNeighbors(w: MessageWriter, sequence: number): void { dump(w, sequence, AF_INET6) }
export function dumpProxies(w: MessageWriter, sequence: number): void { dump(w, sequence, AF_INET6, NTF_PROXY) }

/** Requests the forwarding tables of all bridges; the reply contains the forwarding tables of other devices too. */
export function dumpStations(w: MessageWriter, sequence: number): void { dump(w, sequence, AF_BRIDGE) }

/** Requests one entry: a neighbor, or a proxy entry. Without such an entry, the kernel refuses with ENOENT. Needs Linux 5.0. */
export function getNeighbor(w: MessageWriter, sequence: number,
  { target, ifindex, proxy }: { target: Address; ifindex: number; proxy: boolean }): void {
  const header = headerOf(ifindex)
  header[10] = proxy ? NTF_PROXY : 0
  w.message(RTM_GETNEIGH, NLM_F_REQUEST, sequence, header, [[NDA_DST, target]])
}

/** Requests a new link-layer address and NUD_REACHABLE for an existing entry. Without an entry, the kernel refuses with ENOENT. */
export function replaceNeighbor(w: MessageWriter, sequence: number,
  { target, ifindex, mac, router }: { target: Address; ifindex: number; mac: Mac; router: boolean }): void {
  const header = headerOf(ifindex)
  header.set(new Uint8Array(Uint16Array.of(NUD_REACHABLE).buffer), 8)
  header[10] = router ? NTF_ROUTER : 0
  const lladdr = new Uint8Array(6)
  writeMac(lladdr, 0, mac)
  w.message(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_REPLACE, sequence, header, [[NDA_DST, target], [NDA_LLADDR, lladdr]])
}

/**
 * Builds a filter for a socket in RTNLGRP_NEIGH: it passes bridge entries, and IPv6 neighbors except groups. The kernel creates an entry
 * for each group to which it sends, such as the group of a solicitation, and may report the deletion of thousands of entries at once.
 */
export function neighborFilter(): Uint8Array {
  return assemble([
    { code: LOAD_BYTE, k: 16 },
    { code: JUMP_EQUAL, k: AF_BRIDGE, equal: 'pass' },
    { code: JUMP_EQUAL, k: AF_INET6, other: 'drop' },
    { code: LOAD_BYTE, k: DST },
    { code: JUMP_EQUAL, k: MULTICAST, equal: 'drop' },
    ...END,
  ])
}

/** @returns struct ndmsg without state and flags */
function headerOf(ifindex: number): Uint8Array {
  const header = new Uint8Array(HEADER)
  header[0] = AF_INET6
  header.set(new Uint8Array(Uint32Array.of(ifindex).buffer), 4)
  return header
}

function dump(w: MessageWriter, sequence: number, family: number, flags = 0): void {
  const header = new Uint8Array(HEADER)
  header[0] = family
  header[10] = flags
  w.message(RTM_GETNEIGH, NLM_F_REQUEST | NLM_F_DUMP, sequence, header)
}
