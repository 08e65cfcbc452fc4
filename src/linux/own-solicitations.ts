/**
 * The multicast solicitations that the kernel itself sends on one link (RFC 4861 7.2.2), for packets that it has to
 * deliver there. A packet socket of all protocols sees them (packet(7)); its filter stops everything else.
 *
 * Those of ndp6d leave by a raw socket, with an automatic flow label (RFC 6437 3), while the kernel's have 0. Where
 * that is switched off (net.ipv6.auto_flowlabels 0) they are told as well.
 */
import type { Address, Mac } from '../address.ts'
import { NEIGHBOR_SOLICITATION } from '../wire/constants.ts'
import { ownSolicitationFilter } from '../wire/filter.ts'
import type { LinkHeader } from '../wire/frame.ts'
import { NdiscView } from '../wire/ndisc.ts'
import { native } from './native.ts'
import type { NativeSocket } from './native.ts'
import { hasPartialChecksum, receiveBatch } from './packet-meta.ts'

const ETH_P_ALL = 3
/** A solicitation of the kernel takes 86 bytes. */
const SLOT = 128
const SLOTS = 32
const RECEIVE_BUFFER = 256 * 1024

export interface OwnSolicitationReader {
  /** The kernel wants to know where `target` is. It asks three times, a second apart. */
  solicited(target: Address, source: Address): void
  /** Trouble in receiving, to be judged by `verdict`. ENETDOWN comes once each time the link goes down. */
  failed(error: Error): void
}

export class OwnSolicitations {
  /** Follows the link's address: with another one it comes from a device on top, such as a macvlan. */
  mac: Mac | undefined
  readonly #reader: OwnSolicitationReader
  readonly #linkHeader: LinkHeader
  readonly #socket: NativeSocket
  readonly #slab = new Uint8Array(SLOT * SLOTS)
  readonly #meta = new Int32Array(4 * SLOTS)
  readonly #view = new NdiscView()
  #closed = false

  /** Listens at once; the reader is called from the event loop. Throws an OsError (ENODEV: no such link). */
  constructor(link: { readonly ifindex: number; readonly mac: Mac | undefined }, reader: OwnSolicitationReader) {
    this.mac = link.mac
    this.#reader = reader
    this.#linkHeader = link.mac === undefined ? 0 : 14
    this.#socket = native.openPacket({
      ifindex: link.ifindex, protocol: ETH_P_ALL, filter: ownSolicitationFilter(this.#linkHeader),
      promiscuous: false, allMulticast: false, receiveBuffer: RECEIVE_BUFFER, cooked: this.#linkHeader === 0,
    })
    this.#socket.start(() => this.#readable())
  }

  /** Idempotent. Nothing is told to the reader afterwards. */
  close(): void {
    this.#closed = true
    this.#socket.close()
  }

  #readable(): void {
    const received = receiveBatch(this.#socket, this.#slab, SLOT, this.#meta, (error) => this.#reader.failed(error))
    for (let i = 0; i < received && !this.#closed; i++) this.#read(i)
  }

  #read(i: number): void {
    const view = this.#view
    const partial = hasPartialChecksum(this.#meta, i)
    const length = Math.min(this.#meta[4 * i], SLOT)
    if (view.decode(this.#slab, i * SLOT, length, this.#linkHeader, partial) !== undefined) return
    if (view.type !== NEIGHBOR_SOLICITATION || (this.#linkHeader !== 0 && view.sourceMac !== this.mac)) return
    const source = view.source()
    // DAD for an address of this machine.
    if (!source.isUnspecified) this.#reader.solicited(view.target(), source)
  }
}
