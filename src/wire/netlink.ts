/**
 * Messages and attributes of netlink, in host byte order (netlink(7), linux/netlink.h).
 *
 *     0               4       6       8               12              16
 *     | length        | type  | flags | sequence      | port          | payload, padded to 4 ...
 *     | length | type | value, padded to 4 ...                            one attribute
 *
 * A {@link Message} and {@link Attributes} are offsets into the receive buffer; parts beyond its end are absent.
 */
import { Address, readMac } from '../address.ts'
import type { Mac } from '../address.ts'

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

export const NLM_F_REQUEST = 0x01
export const NLM_F_ACK = 0x04
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
/** Flags of NLMSG_ERROR and NLMSG_DONE: the request is not repeated; attributes follow. */
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200

const NLA_F_NESTED = 0x8000
const NLA_TYPE_MASK = 0x3fff
const NLMSGERR_ATTR_MSG = 1

/** Lengths of the headers of messages and attributes. */
const HEADER = 16
const ATTRIBUTE = 4

/** Host byte order. */
const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

const utf8 = new TextEncoder()
const text = new TextDecoder()
const addressBytes = new Uint8Array(16)

const align = (length: number): number => (length + 3) & ~3

/** Reads an unsigned 16-bit number in host order. The caller checks the range. */
export function readU16(bytes: Uint8Array, at: number): number {
  return little ? bytes[at] | (bytes[at + 1] << 8) : (bytes[at] << 8) | bytes[at + 1]
}

/** Reads an unsigned 32-bit number in host order. The caller checks the range. */
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
  /** Port of the socket whose request caused the message; 0: the kernel. */
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

  /** Returns the first attribute of `type` with at least `size` bytes. */
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

  /** Text up to the first NUL. */
  text(type: number): string | undefined {
    const found = this.find(type)
    if (found === undefined) return undefined
    const value = this.#bytes.subarray(found.start, found.end)
    const nul = value.indexOf(0)
    return text.decode(nul < 0 ? value : value.subarray(0, nul))
  }
}

/** Result of a request: NLMSG_ERROR, or NLMSG_DONE after a dump. */
export interface Completion {
  /** Positive number of errno(3); 0: success. */
  readonly errno: number
  /** Message of the kernel (NETLINK_EXT_ACK), if any. */
  readonly text: string | undefined
}

/** Decodes NLMSG_ERROR or NLMSG_DONE. @returns undefined for other messages and those that are too short */
export function decodeCompletion(message: Message): Completion | undefined {
  const { bytes, type, flags, start, end } = message
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return undefined
  // A successful dump may have no status.
  if (end - start < 4) return type === NLMSG_DONE ? { errno: 0, text: undefined } : undefined
  const errno = -(readU32(bytes, start) | 0)
  let at = start + 4
  if (type === NLMSG_ERROR) {
    if (end - at < HEADER) return { errno, text: undefined }
    at += flags & NLM_F_CAPPED ? HEADER : Math.max(HEADER, align(readU32(bytes, at)))
  }
  return { errno, text: flags & NLM_F_ACK_TLVS ? new Attributes(bytes, at, end).text(NLMSGERR_ATTR_MSG) : undefined }
}

/** Writes messages one after another into one growing buffer. */
export class MessageWriter {
  #bytes = new Uint8Array(4096)
  #length = 0
  #message = 0

  /** All messages written so far; valid until the next write. */
  get bytes(): Uint8Array { return this.#bytes.subarray(0, this.#length) }

  /** Begins a message; {@link end} completes it. The kernel fills in the port. */
  begin(type: number, flags: number, sequence: number): void {
    this.#message = this.#length
    this.u32(0)
    this.u16(type)
    this.u16(flags)
    this.u32(sequence)
    this.u32(0)
  }

  end(): void {
    this.#put32(this.#message, this.#length - this.#message)
    this.#pad()
  }

  /** Requests an acknowledgement of the last message; errors are always reported. */
  acknowledge(): void {
    const at = this.#message + 6
    this.#put16(at, readU16(this.#bytes, at) | NLM_F_ACK)
  }

  u8(value: number): void { this.#bytes[this.#take(1)] = value }
  u16(value: number): void { this.#put16(this.#take(2), value) }
  u32(value: number): void { this.#put32(this.#take(4), value) }

  raw(value: Uint8Array): void {
    const at = this.#take(value.length)
    this.#bytes.set(value, at)
  }

  attribute(type: number, value: Uint8Array): void {
    const at = this.#open(type)
    this.raw(value)
    this.#close(at)
  }

  attributeU32(type: number, value: number): void {
    const at = this.#open(type)
    this.u32(value)
    this.#close(at)
  }

  /** Writes a number in network order, as in most attributes of netfilter. */
  attributeBe32(type: number, value: number): void {
    this.attribute(type, Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value))
  }

  /** Writes text with a terminating NUL. */
  attributeText(type: number, value: string): void { this.attribute(type, utf8.encode(`${value}\0`)) }

  attributeAddress(type: number, value: Address): void {
    value.write(addressBytes)
    this.attribute(type, addressBytes)
  }

  /** Writes a nested attribute with the contents that `fill` writes. @throws RangeError if it is longer than 65535 bytes */
  nest(type: number, fill: () => void): void {
    const at = this.#open(type | NLA_F_NESTED)
    fill()
    this.#close(at)
  }

  #close(at: number): void {
    if (this.#length - at > 0xffff) throw new RangeError(`netlink attribute of ${this.#length - at} bytes`)
    this.#put16(at, this.#length - at)
    this.#pad()
  }

  #open(type: number): number {
    const at = this.#length
    this.u16(0)
    this.u16(type)
    return at
  }

  #pad(): void {
    while (this.#length & 3) this.u8(0)
  }

  /** Appends `size` bytes. @returns their offset */
  #take(size: number): number {
    const at = this.#length
    this.#length += size
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    return at
  }

  #put16(at: number, value: number): void {
    this.#bytes[little ? at : at + 1] = value
    this.#bytes[little ? at + 1 : at] = value >>> 8
  }

  #put32(at: number, value: number): void {
    this.#put16(little ? at : at + 2, value)
    this.#put16(little ? at + 2 : at, value >>> 16)
  }
}
