/** Frames of the simulator. Hosts send the same few frames again and again, so each is built and read only once. */
import { type Address, formatMac, type Mac, readMac } from '../../../src/address.ts'
import { echo, type Ends, ip, mac as parse, type Na, na, type Ns, ns, routerSolicitation } from '../../kit/frames.ts'
import { isIntact, type ReadFrame, readFrame, textOf } from '../../kit/read-frame.ts'

export { textOf }

export class Frame {
  readonly bytes: Uint8Array
  /** Ethernet destination. */
  readonly to: Mac
  #content: ReadFrame | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.to = readMac(bytes, 0)
  }

  /** @throws Error when its length, hop limit or checksum is wrong: nothing sends such frames here */
  get content(): ReadFrame {
    if (this.#content === undefined) {
      if (!isIntact(this.bytes)) throw new Error(`not a valid frame: ${Buffer.from(this.bytes).toString('hex')}`)
      this.#content = readFrame(this.bytes)
    }
    return this.#content
  }
}

/** @returns the value of a key, made once */
export function cached<K, V>(known: Map<K, V>, key: K, make: (key: K) => V): V {
  let value = known.get(key)
  if (value === undefined) known.set(key, value = make(key))
  return value
}

const addresses = new Map<string, Address>()
const macs = new Map<string, Mac>()
const macTexts = new Map<Mac, string>()

export function addressOf(text: string): Address { return cached(addresses, text, ip) }
export function macOf(text: string): Mac { return cached(macs, text, parse) }
export function macText(mac: Mac): string { return cached(macTexts, mac, formatMac) }

/** A tree whose branches are the fields of a frame. */
interface Tree { frame?: Frame; readonly more: Map<string | undefined, Tree> }
const frames: Tree = { more: new Map() }

function once(make: () => Uint8Array, ...fields: (string | undefined)[]): Frame {
  let tree = frames
  for (const field of fields) tree = cached(tree.more, field, () => ({ more: new Map() }))
  tree.frame ??= new Frame(make())
  return tree.frame
}

export function nsFrame(what: Ns): Frame { return once(() => ns(what), 'ns', what.from, what.target, what.source, what.toMac) }

export function naFrame(what: Na): Frame {
  return once(() => na(what), 'na', what.from, what.target, what.to, what.toMac, what.flags, what.tlla)
}

export function echoFrame(kind: 'echo-request' | 'echo-reply', ends: Ends): Frame {
  return once(() => echo(kind, ends), kind, ends.from, ends.source, ends.to, ends.toMac)
}

/** A Router Solicitation. @param source `::`: without a link-layer address option */
export function rsFrame(from: string, source: string): Frame { return once(() => routerSolicitation(from, source), 'rs', from, source) }
