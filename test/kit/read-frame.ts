/** Reads frames for tests, by offsets of its own: the decoder under test is not used. RFC 8200 3, RFC 4443 2.1, RFC 4861 4. */
import { Address } from '../../src/address.ts'
import { sumOf } from './frames.ts'

/** Link-layer addresses and IPv6 addresses (RFC 5952) are text; absent fields are empty strings. */
export interface ReadFrame {
  readonly kind: 'NS' | 'NA' | 'RS' | 'RA' | 'redirect' | 'error' | 'echo-request' | 'echo-reply' | 'mld' | 'other'
  /** Ethernet source and destination. */
  readonly from: string
  readonly to: string
  /** IPv6 source and destination. */
  readonly source: string
  readonly destination: string
  readonly hopLimit: number
  /** ICMPv6 type; -1 for other protocols. */
  readonly type: number
  /** Of an NS or NA. */
  readonly target: string
  /** Of an NA, a subset of `RSO`. */
  readonly flags: string
  /** Source (NS) or target (NA) link-layer address option. */
  readonly lladdr: string
}

const KINDS = new Map<number, ReadFrame['kind']>([[1, 'error'], [2, 'error'], [3, 'error'], [4, 'error'], [128, 'echo-request'],
  [129, 'echo-reply'], [130, 'mld'], [131, 'mld'], [132, 'mld'], [143, 'mld'], [133, 'RS'], [134, 'RA'], [135, 'NS'], [136, 'NA'],
  [137, 'redirect']])

const texts = new Map<number, [Address, string][]>()

/** @returns RFC 5952 text, made once for each address */
export function textOf(address: Address): string {
  const known = texts.get(address.w3) ?? []
  const found = known.find(([other]) => other.equals(address))
  if (found !== undefined) return found[1]
  const text = address.toString()
  texts.set(address.w3, [...known, [address, text]])
  return text
}

function macAt(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, 6).toString('hex').replace(/..(?!$)/g, '$&:')
}

function lladdrOption(bytes: Uint8Array, wanted: number): string {
  for (let at = 78; at + 8 <= bytes.length && bytes[at + 1] > 0; at += bytes[at + 1] * 8) {
    if (bytes[at] === wanted) return macAt(bytes, at + 2)
  }
  return ''
}

export function readFrame(bytes: Uint8Array): ReadFrame {
  const isIpv6 = bytes.length >= 54 && bytes[12] === 0x86 && bytes[13] === 0xdd
  // MLD: the ICMPv6 header follows a Hop-by-Hop header.
  const at = isIpv6 && bytes[20] === 0 ? 54 + 8 + bytes[55] * 8 : 54
  const isIcmp = isIpv6 && (bytes[20] === 58 || (bytes[20] === 0 && bytes[54] === 58)) && bytes.length > at
  const type = isIcmp ? bytes[at] : -1
  const kind = KINDS.get(type) ?? 'other'
  const isNdisc = (kind === 'NS' || kind === 'NA') && bytes.length >= 78
  return { kind, type, from: macAt(bytes, 6), to: macAt(bytes, 0), source: isIpv6 ? textOf(Address.read(bytes, 22)) : '',
    destination: isIpv6 ? textOf(Address.read(bytes, 38)) : '', hopLimit: isIpv6 ? bytes[21] : 0,
    target: isNdisc ? textOf(Address.read(bytes, 62)) : '',
    flags: kind === 'NA' && isNdisc ? ['R', 'S', 'O'].filter((_, i) => bytes[58] & (0x80 >> i)).join('') : '',
    lladdr: isNdisc ? lladdrOption(bytes, kind === 'NS' ? 1 : 2) : '' }
}

/** @returns whether an ICMPv6 frame without extension headers has the right length, hop limit 255 and checksum */
export function isIntact(bytes: Uint8Array): boolean {
  const length = bytes.length - 54
  return bytes[20] === 58 && bytes[21] === 255 && 256 * bytes[18] + bytes[19] === length
    && sumOf([...bytes.subarray(22, 54), 0, 0, 0, length, 0, 0, 0, 58, ...bytes.subarray(54)]) === 0xffff
}
