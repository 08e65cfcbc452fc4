/**
 * Builds Ethernet frames for tests, byte by byte after RFC 2464 3, RFC 8200 3, RFC 4443 4 and RFC 4861 4. Our encoder is not used,
 * so that a mistake of the encoder and one of the decoder cannot cancel out. `read-frame.ts` is the counterpart.
 */
import { Address, formatMac, type Mac, parseMac, Prefix } from '../../src/address.ts'

export interface Ends {
  /** Ethernet source. */
  readonly from: string
  /** IPv6 source. */
  readonly source: string
  /** IPv6 destination. */
  readonly to: string
  /** Ethernet destination where `to` is no group; default: 02:00:00:00:00:ff. */
  readonly toMac?: string | undefined
}

/** By default to the target's solicited-node group. */
export interface Ns extends Omit<Ends, 'to'> {
  readonly to?: string
  readonly target: string
  /** With a source link-layer address option; default: unless the source is `::`. */
  readonly slla?: boolean
}

/** By default from the target to ff02::1. */
export interface Na extends Omit<Ends, 'to' | 'source'> {
  readonly source?: string
  readonly to?: string
  readonly target: string
  /** Of `RSO`; default: `SO` to a unicast address, else `O`. */
  readonly flags?: string
  /** Target link-layer address; default: `from`; empty: no option. */
  readonly tlla?: string
}

function parsed<T>(value: T | undefined, what: string, text: string): T {
  if (value === undefined) throw new TypeError(`not ${what}: ${text}`)
  return value
}

/** @throws TypeError unless it is an IPv6 address */
export function ip(text: string): Address { return parsed(Address.parse(text), 'an address', text) }
/** @throws TypeError unless it is a prefix */
export function prefix(text: string): Prefix { return parsed(Prefix.parse(text), 'a prefix', text) }
/** @throws TypeError unless it is a link-layer address */
export function mac(text: string): Mac { return parsed(parseMac(text), 'a link-layer address', text) }

/** The link-layer address of host `n` of many: 06:00:00:00:00:00 and up. */
export function nthMac(n: number): string { return formatMac(mac('06:00:00:00:00:00') + n as Mac) }
function hex(digits: string): number[] { return (digits.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)) }
function macBytes(text: string): number[] { return hex(text.replaceAll(':', '')) }

function addressBytes(text: string): number[] {
  const { w0, w1, w2, w3 } = ip(text)
  const bytes: number[] = []
  for (const word of [w0, w1, w2, w3]) bytes.push(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff)
  return bytes
}

/** @returns the one's complement sum of 16-bit words (RFC 1071) */
export function sumOf(bytes: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += 256 * bytes[i] + (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

/** The IPv6 destination as bytes saves a text per frame. */
type BytesEnds = Omit<Ends, 'to'> & { readonly to: string | readonly number[] }

/** @returns the frame of an ICMPv6 message, with its checksum (RFC 8200 8.1) filled in */
export function frame({ from, source, to, toMac = '02:00:00:00:00:ff' }: BytesEnds, message: readonly number[]): Uint8Array {
  const destination = typeof to === 'string' ? addressBytes(to) : to
  const addresses = [...addressBytes(source), ...destination]
  const checksum = ~sumOf([...addresses, 0, 0, 0, message.length, 0, 0, 0, 58, ...message]) & 0xffff
  const ethernet = destination[0] === 0xff ? [0x33, 0x33, ...destination.slice(12)] : macBytes(toMac)
  return Uint8Array.from([...ethernet, ...macBytes(from), 0x86, 0xdd, 0x60, 0, 0, 0, 0, message.length, 58, 255, ...addresses,
    ...message.slice(0, 2), checksum >> 8, checksum & 0xff, ...message.slice(4)])
}

/** @returns a Neighbor Solicitation (RFC 4861 4.3) */
export function ns({ target, slla, to, ...ends }: Ns): Uint8Array {
  const option = slla ?? ends.source !== '::' ? [1, 1, ...macBytes(ends.from)] : []
  const bytes = addressBytes(target)
  const group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...bytes.slice(13)]
  return frame({ ...ends, to: to ?? group }, [135, 0, 0, 0, 0, 0, 0, 0, ...bytes, ...option])
}

/** @returns a Neighbor Advertisement (RFC 4861 4.4) */
export function na({ target, flags, tlla, source = target, to = 'ff02::1', ...ends }: Na): Uint8Array {
  const bits = [...flags ?? (to.startsWith('ff') ? 'O' : 'SO')].reduce((sum, flag) => sum | 0x80 >> 'RSO'.indexOf(flag), 0)
  const option = tlla === '' ? [] : [2, 1, ...macBytes(tlla ?? ends.from)]
  return frame({ ...ends, source, to }, [136, 0, 0, 0, bits, 0, 0, 0, ...addressBytes(target), ...option])
}

/** @returns a Router Advertisement (RFC 4861 4.2, 4.6.2) to all nodes: a default router, one /64 with A and L set */
export function ra({ from, source, prefix }: Pick<Ends, 'from' | 'source'> & { readonly prefix: string }): Uint8Array {
  return frame({ from, source, to: 'ff02::1' }, [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, ...macBytes(from),
    3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0, ...addressBytes(prefix)])
}

/** @returns an echo request or reply (RFC 4443 4.1, 4.2) without data */
export function echo(kind: 'echo-request' | 'echo-reply', ends: Ends): Uint8Array {
  return frame(ends, [kind === 'echo-request' ? 128 : 129, 0, 0, 0, 0, 1, 0, 1])
}

/** A Router Solicitation (RFC 4861 4.1) @param source `::`: without a link-layer address option */
export function routerSolicitation(from: string, source: string): Uint8Array {
  return frame({ from, source, to: 'ff02::2' }, [133, 0, 0, 0, 0, 0, 0, 0, ...source === '::' ? [] : [1, 1, ...macBytes(from)]])
}
