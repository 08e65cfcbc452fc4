/** Reads Router Advertisements for tests, by offsets of its own: the code under test is not used. RFC 4861 4.2 and 4.6.2. */
import { Address } from '../../src/address.ts'
import { textOf } from './read-frame.ts'

export interface ReadPrefix {
  /** An address without its length: `2001:db8::`. */
  readonly prefix: string
  readonly length: number
  readonly isOnLink: boolean
  readonly isAutonomous: boolean
  /** Seconds. */
  readonly valid: number
  readonly preferred: number
}

export interface ReadAdvertisement {
  /** Of the default route, seconds. */
  readonly lifetime: number
  readonly prefixes: readonly ReadPrefix[]
}

/** @param bytes an Ethernet frame of kind `RA` */
export function readAdvertisement(bytes: Uint8Array): ReadAdvertisement {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const prefixes: ReadPrefix[] = []
  for (let at = 70; at + 8 <= bytes.length && bytes[at + 1] > 0; at += 8 * bytes[at + 1]) {
    if (bytes[at] !== 3) continue
    prefixes.push({ prefix: textOf(Address.read(bytes, at + 16)), length: bytes[at + 2], isOnLink: (bytes[at + 3] & 0x80) !== 0,
      isAutonomous: (bytes[at + 3] & 0x40) !== 0, valid: view.getUint32(at + 4), preferred: view.getUint32(at + 8) })
  }
  return { lifetime: view.getUint16(60), prefixes }
}
