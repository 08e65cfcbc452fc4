/** Encoder of netlink messages; netlink.ts shows the format. */
import { Address, writeWord } from '../address.ts'
import { align, ATTRIBUTE, HEADER, little, NLM_F_ACK, readU16 } from './netlink.ts'

const NLA_F_NESTED = 0x8000

const utf8 = new TextEncoder()

class HostOrder {
  readonly value: number
  constructor(value: number) { this.value = value }
}

/** @returns `value` as an attribute value that is written in host order, as in rtnetlink */
export function hostOrder(value: number): HostOrder { return new HostOrder(value) }

/**
 * A value of an attribute to write: bytes; text, to which a NUL is added; a 32-bit number, in network order unless it is a `HostOrder`;
 * an address; nested attributes. Undefined: the attribute is left out.
 */
export type Value = Uint8Array | string | number | HostOrder | Address | AttributeList | undefined
export type AttributeList = readonly (readonly [type: number, value: Value])[]

/** Writes messages one after another into one growing buffer. */
export class MessageWriter {
  #bytes = new Uint8Array(4096)
  #length = 0
  #message = 0

  /** All messages written so far; valid until the next write. */
  get bytes(): Uint8Array { return this.#bytes.subarray(0, this.#length) }

  /** Writes a message. The kernel fills in the port. @throws RangeError if an attribute is longer than 65535 bytes */
  message(type: number, flags: number, sequence: number, header: ArrayLike<number>, attributes: AttributeList = []): void {
    const at = this.#message = this.#append(HEADER)
    this.#put16(at + 4, type)
    this.#put16(at + 6, flags)
    this.#put32(at + 8, sequence)
    this.#raw(header)
    this.#attributes(attributes)
    this.#put32(at, this.#length - at)
    this.#pad()
  }

  /** Requests an acknowledgement of the message written last. The kernel reports errors without this request, too. */
  acknowledge(): void {
    const at = this.#message + 6
    this.#put16(at, readU16(this.#bytes, at) | NLM_F_ACK)
  }

  #attributes(list: AttributeList): void {
    for (const [type, value] of list) {
      if (value === undefined) continue
      const at = this.#append(ATTRIBUTE)
      this.#put16(at + 2, type)
      if (value instanceof Uint8Array) this.#raw(value)
      else if (typeof value === 'string') this.#raw(utf8.encode(`${value}\0`))
      else if (value instanceof HostOrder) this.#put32(this.#append(4), value.value)
      else if (typeof value === 'number') {
        this.#append(4)
        writeWord(this.#bytes, at + ATTRIBUTE, value)
      } else if (value instanceof Address) {
        this.#append(16)
        value.write(this.#bytes, at + ATTRIBUTE)
      } else {
        this.#put16(at + 2, type | NLA_F_NESTED)
        this.#attributes(value)
      }
      const size = this.#length - at
      if (size > 0xffff) throw new RangeError(`netlink attribute of ${size} bytes`)
      this.#put16(at, size)
      this.#pad()
    }
  }

  #raw(value: ArrayLike<number>): void {
    const at = this.#append(value.length)
    for (let i = 0; i < value.length; i++) this.#bytes[at + i] = value[i]
  }

  #pad(): void { this.#append(align(this.#length) - this.#length) }

  /** Appends `size` bytes of zero. @returns their offset */
  #append(size: number): number {
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
