/**
 * Messages and attributes of netlink, in host byte order (netlink(7), linux/netlink.h).
 *
 *     0               4       6       8               12              16
 *     | length        | type  | flags | sequence      | port          | payload, padded to 4 ...
 *     | length | type | value, padded to 4 ...                            one attribute
 *
 * A {@link Message} and {@link Attributes} are offsets into the receive buffer; parts beyond the end of the buffer count as absent.
 * netlink-encode.ts writes messages.
 */
import { Address, type Mac, readMac } from '../address.ts'

export const NLMSG_ERROR = 2, NLMSG_DONE = 3

/** Flags of requests, of replies to a dump, and of requests for new entries. */
export const NLM_F_REQUEST = 0x01, NLM_F_ACK = 0x04, NLM_F_DUMP = 0x300
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_REPLACE = 0x100, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400
/** Flags of NLMSG_ERROR and NLMSG_DONE. CAPPED: the payload of the request is not repeated. ACK_TLVS: attributes follow. */
const NLM_F_CAPPED = 0x100, NLM_F_ACK_TLVS = 0x200

const NLA_TYPE_MASK = 0x3fff
const NLMSGERR_ATTR_MSG = 1

/** Lengths of the headers of messages and attributes. */
export const HEADER = 16, ATTRIBUTE = 4

export const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

const text = new TextDecoder()

export function align(length: number): number { return (length + 3) & ~3 }

/** Reads an unsigned 16-bit number in host order. The caller ensures that `bytes` contains the number. */
export function readU16(bytes: Uint8Array, at: number): number {
  return little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1]
}

/** Reads an unsigned 32-bit number in host order. The caller ensures that `bytes` contains the number. */
export function readU32(bytes: Uint8Array, at: number): number {
  const low = readU16(bytes, at)
  const high = readU16(bytes, at + 2)
  return (little ? (high << 16) | low : (low << 16) | high) >>> 0
}

/** A message in a receive buffer, valid until the next receive. */
export interface Message {
  readonly bytes: Uint8Array
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** Port ID of the socket whose request caused the message; 0: the kernel. */
  readonly port: number
  /** Payload: bytes[start, end). */
  readonly start: number
  readonly end: number
}

/** Iterates over the messages in bytes[start, end), up to the first one that is invalid or not whole. */
export function* messages(bytes: Uint8Array, start = 0, end = bytes.length): Generator<Message> {
  const limit = Math.min(end, bytes.length)
  for (let at = start; at + HEADER <= limit;) {
    const length = readU32(bytes, at)
    if (length < HEADER || length > limit - at) return
    yield {
      bytes, type: readU16(bytes, at + 4), flags: readU16(bytes, at + 6), sequence: readU32(bytes, at + 8),
      port: readU32(bytes, at + 12), start: at + HEADER, end: at + length,
    }
    at += align(length)
  }
}

/** An attribute with the value bytes[start, end). */
export interface Attribute {
  readonly type: number
  readonly start: number
  readonly end: number
}

/** A view of the attributes in bytes[start, end). Getters return undefined for an attribute that is absent or too short. */
export class Attributes {
  readonly #bytes: Uint8Array
  readonly #start: number
  readonly #end: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#start = start
    this.#end = Math.min(end, bytes.length)
  }

  /** Iterates over the attributes, up to the first one that is not whole. */
  *[Symbol.iterator](): Generator<Attribute> {
    for (let at = this.#start; at + ATTRIBUTE <= this.#end;) {
      const length = readU16(this.#bytes, at)
      if (length < ATTRIBUTE || length > this.#end - at) return
      yield { type: readU16(this.#bytes, at + 2) & NLA_TYPE_MASK, start: at + ATTRIBUTE, end: at + length }
      at += align(length)
    }
  }

  find(type: number, size = 0): Attribute | undefined {
    for (const attribute of this) {
      if (attribute.type === type && attribute.end - attribute.start >= size) return attribute
    }
    return undefined
  }

  u32(type: number): number | undefined {
    const found = this.find(type, 4)
    return found && readU32(this.#bytes, found.start)
  }

  address(type: number): Address | undefined {
    const found = this.find(type, 16)
    return found && Address.read(this.#bytes, found.start)
  }

  /** A link-layer address of exactly six bytes. */
  mac(type: number): Mac | undefined {
    const found = this.find(type)
    return found && found.end - found.start === 6 ? readMac(this.#bytes, found.start) : undefined
  }

  /** The attributes inside an attribute; empty if the outer attribute is absent. */
  nested(type: number): Attributes {
    const found = this.find(type)
    return new Attributes(this.#bytes, found?.start ?? 0, found?.end ?? 0)
  }

  /** Text up to the first NUL. */
  text(type: number): string | undefined {
    const found = this.find(type)
    if (found === undefined) return undefined
    const value = this.#bytes.subarray(found.start, found.end)
    const nul = value.indexOf(0)
    return text.decode(nul < 0 ? value : value.subarray(0, nul))
  }
}

/**
 * Reads the attributes of a message of rtnetlink.
 * @param added the RTM_NEW* type of the message; its RTM_DEL* type, which is the next number, is accepted too
 * @param header length of the header before the attributes, such as struct ndmsg; its first byte must be `family`
 * @returns undefined for other types and families, and messages that are too short
 */
export function attributesOf({ bytes, type, start, end }: Message, added: number, header: number, family: number): Attributes | undefined {
  if ((type !== added && type !== added + 1) || end - start < header || bytes[start] !== family) return undefined
  return new Attributes(bytes, start + header, end)
}

/** Result of a request: NLMSG_ERROR, or NLMSG_DONE after a dump. */
export interface Completion {
  /** Positive number of errno(3); 0: success. */
  readonly errno: number
  /** The kernel's explanation of the error (NETLINK_EXT_ACK), if any. */
  readonly text: string | undefined
}

/** Decodes NLMSG_ERROR or NLMSG_DONE. @returns undefined for other messages and those that are too short */
export function decodeCompletion(message: Message): Completion | undefined {
  const { bytes, type, flags, start, end } = message
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return undefined
  // The NLMSG_DONE of a successful dump may have no status.
  if (end - start < 4) return type === NLMSG_DONE ? { errno: 0, text: undefined } : undefined
  const errno = -(readU32(bytes, start) | 0)
  let at = start + 4
  if (type === NLMSG_ERROR) {
    if (end - at < HEADER) return { errno, text: undefined }
    at += flags & NLM_F_CAPPED ? HEADER : Math.max(HEADER, align(readU32(bytes, at)))
  }
  return { errno, text: flags & NLM_F_ACK_TLVS ? new Attributes(bytes, at, end).text(NLMSGERR_ATTR_MSG) : undefined }
}
