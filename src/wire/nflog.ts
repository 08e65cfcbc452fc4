/**
 * Messages of nfnetlink_log (linux/netfilter/nfnetlink_log.h). A rule `log group N` sends packets to the one socket that is bound
 * to the group. struct nfgenmsg follows the netlink header in both directions:
 *
 *     0        1         2               4
 *     | family | version | group         | attributes ...        numbers in network order
 */
import { readWord } from '../address.ts'
import type { MessageWriter } from './netlink-encode.ts'
import { Attributes, type Message, NLM_F_ACK, NLM_F_REQUEST } from './netlink.ts'

const NFNL_SUBSYS_ULOG = 4
const NFULNL_MSG_PACKET = NFNL_SUBSYS_ULOG << 8
const NFULNL_MSG_CONFIG = NFNL_SUBSYS_ULOG << 8 | 1
const NFGENMSG = 4
const AF_UNSPEC = 0

const NFULA_CFG_CMD = 1, NFULA_CFG_MODE = 2, NFULA_CFG_NLBUFSIZ = 3, NFULA_CFG_QTHRESH = 5
const NFULNL_CFG_CMD_BIND = 1
const NFULNL_COPY_PACKET = 2
const NFULA_IFINDEX_OUTDEV = 5, NFULA_PAYLOAD = 9

/** The kernel passes on at most this many bytes of each packet. A solicitation of the kernel has 72. */
const RANGE = 128
/** Size in bytes of the kernel's buffer for one message: enough for RANGE bytes of the packet, and the attributes. */
const MESSAGE_SIZE = 512

/**
 * Binds the socket to `group`: the kernel sends each packet at once, in a message of its own. The kernel refuses with EPERM, EBUSY or
 * EEXIST if another socket is bound.
 */
export function bindGroup(w: MessageWriter, sequence: number, group: number): void {
  w.message(NFULNL_MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK, sequence, [AF_UNSPEC, 0, group >>> 8, group], [
    [NFULA_CFG_CMD, Uint8Array.of(NFULNL_CFG_CMD_BIND)],
    [NFULA_CFG_MODE, Uint8Array.of(0, 0, 0, RANGE, NFULNL_COPY_PACKET, 0)],
    [NFULA_CFG_NLBUFSIZ, MESSAGE_SIZE], [NFULA_CFG_QTHRESH, 1],
  ])
}

/**
 * Decodes a logged packet.
 * @returns the outgoing link, and the offsets of the packet in the message: bytes[start, end), from the IPv6 header on; undefined for other
 *   messages, and for a packet without an outgoing link
 */
export function decodePacket({ type, bytes, start, end }: Message): { ifindex: number; start: number; end: number } | undefined {
  if (type !== NFULNL_MSG_PACKET) return undefined
  const attributes = new Attributes(bytes, start + NFGENMSG, end)
  const link = attributes.find(NFULA_IFINDEX_OUTDEV, 4)
  const payload = attributes.find(NFULA_PAYLOAD)
  if (link === undefined || payload === undefined) return undefined
  return { ifindex: readWord(bytes, link.start), start: payload.start, end: payload.end }
}
