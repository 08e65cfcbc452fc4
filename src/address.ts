/**
 * IPv6 addresses, prefixes and link-layer addresses as immutable values. ipaddr.js reads and writes their text (RFC 4291 2.2,
 * RFC 5952). An address is four signed 32-bit words, so that it is compared without allocation.
 */
import ipaddr from 'ipaddr.js'

/** A 48-bit link-layer address as an integer; see {@link parseMac}, {@link formatMac}. */
export type Mac = number & { readonly unit: 'mac' }

/** Reads the signed big-endian 32-bit word at `at`. */
export function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
}

/** Writes `word` at `at`, big-endian. */
export function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24
  bytes[at + 1] = word >>> 16
  bytes[at + 2] = word >>> 8
  bytes[at + 3] = word
}

/** Writes the four words of an address at `at`, the most significant word first. */
export function writeWords(bytes: Uint8Array, at: number, w0: number, w1: number, w2: number, w3: number): void {
  writeWord(bytes, at, w0)
  writeWord(bytes, at + 4, w1)
  writeWord(bytes, at + 8, w2)
  writeWord(bytes, at + 12, w3)
}

/** @returns word `index` (0 to 3) of the netmask of a prefix of `length` bits, as a signed integer */
export function wordMask(length: number, index: number): number {
  const bits = length - 32 * index
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits)
}

/** Returns whether an address with the first word `w0` is in fe80::/10 (RFC 4291 2.5.6). */
export function isLinkLocalWord(w0: number): boolean { return w0 >>> 22 === 0x3fa }

export class Address {
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number

  /** @param w0 most significant word, followed by w1, w2 and w3; each is taken modulo 2^32 */
  constructor(w0: number, w1: number, w2: number, w3: number) {
    this.w0 = w0 | 0
    this.w1 = w1 | 0
    this.w2 = w2 | 0
    this.w3 = w3 | 0
  }

  static readonly unspecified = new Address(0, 0, 0, 0)
  /** ff02::1 (RFC 4291 2.7.1). */
  static readonly allNodes = new Address(0xff020000, 0, 0, 1)
  /** ff02::2 (RFC 4291 2.7.1). */
  static readonly allRouters = new Address(0xff020000, 0, 0, 2)

  /** @returns undefined if `text` is not an address, or has a zone, a prefix length or a dotted quad */
  static parse(text: string): Address | undefined {
    // Eight groups of four digits and seven colons have 39 characters.
    if (text.length > 39 || !/^[0-9a-fA-F:]+$/.test(text)) return undefined
    try {
      const p = ipaddr.IPv6.parse(text).parts
      return new Address((p[0] << 16) | p[1], (p[2] << 16) | p[3], (p[4] << 16) | p[5], (p[6] << 16) | p[7])
    } catch {
      return undefined
    }
  }

  /** Reads 16 bytes at `at` in network order. */
  static read(bytes: Uint8Array, at = 0): Address {
    return new Address(readWord(bytes, at), readWord(bytes, at + 4), readWord(bytes, at + 8), readWord(bytes, at + 12))
  }

  /** Writes 16 bytes at `at` in network order. */
  write(bytes: Uint8Array, at = 0): void { writeWords(bytes, at, this.w0, this.w1, this.w2, this.w3) }

  equals(other: Address): boolean {
    return this.w3 === other.w3 && this.w2 === other.w2 && this.w1 === other.w1 && this.w0 === other.w0
  }

  /** Compares in numeric order, for `Array.prototype.sort`. */
  compare(other: Address): number {
    return (this.w0 >>> 0) - (other.w0 >>> 0) || (this.w1 >>> 0) - (other.w1 >>> 0)
      || (this.w2 >>> 0) - (other.w2 >>> 0) || (this.w3 >>> 0) - (other.w3 >>> 0)
  }

  get isUnspecified(): boolean { return (this.w0 | this.w1 | this.w2 | this.w3) === 0 }
  get isLoopback(): boolean { return (this.w0 | this.w1 | this.w2) === 0 && this.w3 === 1 }
  get isMulticast(): boolean { return this.w0 >>> 24 === 0xff }
  get isLinkLocal(): boolean { return isLinkLocalWord(this.w0) }
  /** Global unicast (RFC 4291 2.4), including unique local addresses. */
  get isGlobal(): boolean { return !(this.isUnspecified || this.isLoopback || this.isMulticast || this.isLinkLocal) }

  /** Solicited-node group ff02::1:ffXX:XXXX (RFC 4291 2.7.1). */
  get solicitedNode(): Address { return new Address(0xff020000, 0, 1, 0xff000000 | (this.w3 & 0xffffff)) }

  /** RFC 5952 text. */
  toString(): string {
    const parts = [this.w0, this.w1, this.w2, this.w3].flatMap((w) => [w >>> 16, w & 0xffff])
    return new ipaddr.IPv6(parts).toRFC5952String()
  }

  toJSON(): string { return this.toString() }
}

export class Prefix {
  /** Host bits are zero. */
  readonly address: Address
  /** Bits, 0 to 128. */
  readonly length: number

  /** Sets the host bits of `address` to zero. */
  constructor(address: Address, length: number) {
    this.length = length
    this.address = new Address(
      address.w0 & wordMask(length, 0), address.w1 & wordMask(length, 1),
      address.w2 & wordMask(length, 2), address.w3 & wordMask(length, 3))
  }

  /** Parses `ADDRESS` (128 bits) or `ADDRESS/LENGTH`. @returns undefined for other text */
  static parse(text: string): Prefix | undefined {
    const slash = text.indexOf('/')
    const address = Address.parse(slash < 0 ? text : text.slice(0, slash))
    const digits = slash < 0 ? '128' : text.slice(slash + 1)
    if (address === undefined || !/^\d{1,3}$/.test(digits) || Number(digits) > 128) return undefined
    return new Prefix(address, Number(digits))
  }

  contains(address: Address): boolean {
    const { address: p, length } = this
    return ((p.w0 ^ address.w0) & wordMask(length, 0)) === 0 && ((p.w1 ^ address.w1) & wordMask(length, 1)) === 0
      && ((p.w2 ^ address.w2) & wordMask(length, 2)) === 0 && ((p.w3 ^ address.w3) & wordMask(length, 3)) === 0
  }

  equals(other: Prefix): boolean { return this.length === other.length && this.address.equals(other.address) }
  toString(): string { return `${this.address}/${this.length}` }
  toJSON(): string { return this.toString() }
}

/** Reads six bytes at `at`. */
export function readMac(bytes: Uint8Array, at: number): Mac {
  return (((bytes[at] << 8) | bytes[at + 1]) * 2 ** 32 + (readWord(bytes, at + 2) >>> 0)) as Mac
}

/** @returns whether a host can have this address; false for zero, a group (I/G bit, IEEE 802) and an absent address (-1) */
export function isHostMac(mac: Mac): boolean { return mac > 0 && Math.floor(mac / 2 ** 40) % 2 === 0 }

/** Writes six bytes at `at`. */
export function writeMac(bytes: Uint8Array, at: number, mac: Mac): void {
  const high = Math.floor(mac / 2 ** 32)
  bytes[at] = high >>> 8
  bytes[at + 1] = high
  writeWord(bytes, at + 2, mac | 0)
}

/** Parses `52:54:00:12:34:56`. @returns undefined for other text */
export function parseMac(text: string): Mac | undefined {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? Number.parseInt(text.replaceAll(':', ''), 16) as Mac : undefined
}

export function formatMac(mac: Mac): string { return mac.toString(16).padStart(12, '0').replace(/..(?!$)/g, '$&:') }
