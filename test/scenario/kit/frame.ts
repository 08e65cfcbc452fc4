/**
 * Frames of the simulator. Those of hosts are made without our encoder, and each only once: the same few are sent again and
 * again.
 */
import { Address, formatMac, readMac } from '../../../src/address.ts'
import type { Mac } from '../../../src/address.ts'
import { ECHO_REPLY, ECHO_REQUEST, NEIGHBOR_SOLICITATION } from '../../../src/wire/constants.ts'
import { NdiscView } from '../../../src/wire/ndisc.ts'
import { frame, ip, mac as parse, na, ns } from '../../engine/kit/frames.ts'
import type { Na, Ns } from '../../engine/kit/frames.ts'

export interface Message {
  readonly kind: 'ns' | 'na' | 'echo-request' | 'echo-reply'
  readonly source: string
  /** Of an echo: the destination. */
  readonly target: string
  /** Ethernet source. */
  readonly from: string
  /** SLLA or TLLA. */
  readonly lladdr: string | undefined
  /** An NS to the target itself. */
  readonly isUnicast: boolean
  readonly router: boolean
  readonly solicited: boolean
  readonly override: boolean
}

const ICMP = 14 + 40
const SLLA = ICMP + 24
const view = new NdiscView()

export class Frame {
  readonly bytes: Uint8Array
  /** Ethernet destination. */
  readonly to: Mac
  #message: Message | undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.to = readMac(bytes, 0)
  }

  /** Another protocol than Neighbor Discovery. */
  get isEcho(): boolean { return this.bytes[ICMP] === ECHO_REQUEST || this.bytes[ICMP] === ECHO_REPLY }

  /** @throws Error when it is not valid: nobody here sends such */
  get message(): Message {
    this.#message ??= this.isEcho ? readEcho(this.bytes) : readNdisc(this.bytes)
    return this.#message
  }
}

function readEcho(bytes: Uint8Array): Message {
  return { kind: bytes[ICMP] === ECHO_REQUEST ? 'echo-request' : 'echo-reply', source: textOf(Address.read(bytes, 22)),
    target: textOf(Address.read(bytes, 38)), from: macText(readMac(bytes, 6)), lladdr: undefined, isUnicast: false, router: false,
    solicited: false, override: false }
}

function readNdisc(bytes: Uint8Array): Message {
  const drop = view.decode(bytes, 0, bytes.length, 14, false)
  if (drop !== undefined) throw new Error(`a frame that is not valid: ${drop}`)
  const { router, solicited, override, tlla, sourceMac, unicastToTarget: isUnicast } = view
  const isNs = view.type === NEIGHBOR_SOLICITATION
  // All solicitations here have this option first, if any.
  const lladdr = !isNs ? tlla : bytes[SLLA] === 1 ? readMac(bytes, SLLA + 2) : -1 as Mac
  return { kind: isNs ? 'ns' : 'na', source: textOf(view.source()), target: textOf(view.target()), from: macText(sourceMac),
    lladdr: lladdr < 0 ? undefined : macText(lladdr), isUnicast, router, solicited, override }
}

const byWord = new Map<number, [Address, string][]>()
const addresses = new Map<string, Address>()
const macs = new Map<string, Mac>()
const macTexts = new Map<Mac, string>()

/** RFC 5952 text, made once for each address. */
export function textOf(address: Address): string {
  const known = byWord.get(address.w3)
  const found = known?.find(([other]) => other.equals(address))
  if (found !== undefined) return found[1]
  const text = address.toString()
  if (known === undefined) byWord.set(address.w3, [[address, text]])
  else known.push([address, text])
  return text
}

/** The other way round. */
export function addressOf(text: string): Address { return remembered(addresses, text, ip) }
export function macOf(text: string): Mac { return remembered(macs, text, parse) }
export function macText(mac: Mac): string { return remembered(macTexts, mac, formatMac) }

function remembered<K, V>(known: Map<K, V>, key: K, make: (key: K) => V): V {
  let value = known.get(key)
  if (value === undefined) known.set(key, value = make(key))
  return value
}

/** A tree whose branches are the parts of what a frame says. */
interface Tree { frame?: Frame; readonly more: Map<string | undefined, Tree> }
const frames: Tree = { more: new Map() }

function once(make: () => Uint8Array, ...parts: (string | undefined)[]): Frame {
  let tree = frames
  for (const part of parts) tree = remembered(tree.more, part, () => ({ more: new Map() }))
  tree.frame ??= new Frame(make())
  return tree.frame
}

export function nsFrame(what: Ns): Frame {
  return once(() => ns(what), 'ns', what.from, what.target, what.source, what.toMac)
}

export function naFrame(what: Na): Frame {
  return once(() => na(what), 'na', what.from, what.target, what.to, what.toMac, what.flags, what.tlla)
}

/** RFC 4443 4.1, 4.2, without data. @param toMac undefined to a group */
export function echoFrame(
  kind: 'echo-request' | 'echo-reply', from: string, source: string, to: string, toMac?: string): Frame {
  return once(() => frame(from, to, toMac, source, [kind === 'echo-request' ? ECHO_REQUEST : ECHO_REPLY, 0, 0, 0, 0, 1, 0, 1]),
    kind, from, source, to, toMac)
}
