/**
 * Frames for the engine's tests, byte by byte after RFC 2464 3, RFC 8200 3 and RFC 4861 4.3, 4.4. Nothing here comes from
 * our encoder, so that it and the decoder cannot agree on a mistake.
 */
import { Address, formatMac, parseMac, Prefix } from '../../../src/address.ts'
import type { Mac } from '../../../src/address.ts'

export interface Ns {
  readonly target: string
  /** Ethernet source. */
  readonly from: string
  readonly source: string
  /** IPv6 destination; default: the target's solicited-node group. */
  readonly to?: string
  /** Ethernet destination, where the IPv6 destination is no group. */
  readonly toMac?: string
  /** Default: with the option, unless the source is `::`. */
  readonly slla?: boolean
}

export interface Na {
  readonly target: string
  readonly from: string
  /** Default: the target. */
  readonly source?: string
  /** Default: ff02::1. */
  readonly to?: string
  readonly toMac?: string
  /** Of `RSO`; default: `SO` to a unicast address, else `O`. */
  readonly flags?: string
  /** Default: `from`; empty: no option. */
  readonly tlla?: string
}

export function ip(text: string): Address {
  const address = Address.parse(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  return address
}

export function prefix(text: string): Prefix {
  const parsed = Prefix.parse(text)
  if (parsed === undefined) throw new TypeError(`not a prefix: ${text}`)
  return parsed
}

/** The link-layer address of host `n` of many: 06:00:00:00:00:00 and up. */
export function nthMac(n: number): string { return formatMac(mac('06:00:00:00:00:00') + n as Mac) }

export function mac(text: string): Mac {
  const parsed = parseMac(text)
  if (parsed === undefined) throw new TypeError(`not a link-layer address: ${text}`)
  return parsed
}

function hex(digits: string): number[] {
  return (digits.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))
}

function macBytes(text: string): number[] { return hex(text.replaceAll(':', '')) }

function addressBytes(text: string): number[] {
  const { w0, w1, w2, w3 } = ip(text)
  return [w0, w1, w2, w3].flatMap((word) => hex((word >>> 0).toString(16).padStart(8, '0')))
}

/** RFC 1071, over the pseudo-header of RFC 8200 8.1 and the message. */
function checksum(bytes: readonly number[]): [number, number] {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += 256 * bytes[i] + bytes[i + 1]
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return [(~sum >> 8) & 0xff, ~sum & 0xff]
}

export function frame(from: string, to: string, toMac: string | undefined, source: string, message: number[]): Uint8Array {
  const destination = addressBytes(to)
  const sent = [...addressBytes(source), ...destination]
  const [high, low] = checksum([...sent, 0, 0, 0, message.length, 0, 0, 0, 58, ...message])
  const isGroup = destination[0] === 0xff
  const ethernet = isGroup ? [0x33, 0x33, ...destination.slice(12)] : macBytes(toMac ?? '02:00:00:00:00:ff')
  return Uint8Array.from([
    ...ethernet, ...macBytes(from), 0x86, 0xdd,
    0x60, 0, 0, 0, 0, message.length, 58, 255, ...sent,
    ...message.slice(0, 2), high, low, ...message.slice(4)])
}

export function ns({ target, from, source, to, toMac, slla }: Ns): Uint8Array {
  const option = slla ?? source !== '::' ? [1, 1, ...macBytes(from)] : []
  const group = `ff02::1:ff${addressBytes(target).slice(13).map((byte) => byte.toString(16).padStart(2, '0')).join('')
    .replace(/^(..)/, '$1:')}`
  return frame(from, to ?? group, toMac, source, [135, 0, 0, 0, 0, 0, 0, 0, ...addressBytes(target), ...option])
}

export function na({ target, from, source = target, to = 'ff02::1', toMac, flags, tlla = from }: Na): Uint8Array {
  const set = flags ?? (to.startsWith('ff') ? 'O' : 'SO')
  const bits = (set.includes('R') ? 0x80 : 0) | (set.includes('S') ? 0x40 : 0) | (set.includes('O') ? 0x20 : 0)
  const option = tlla === '' ? [] : [2, 1, ...macBytes(tlla)]
  return frame(from, to, toMac, source, [136, 0, 0, 0, bits, 0, 0, 0, ...addressBytes(target), ...option])
}

