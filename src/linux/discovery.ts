/**
 * Finds the hosts of one link by Echo Requests to all nodes (RFC 4443 4.1, RFC 4291 2.7.1). Each host replies from an address of the
 * same scope as the source. The source may be an address of another link, so the raw socket sends an IPv6 header of ours
 * (IPV6_HDRINCL).
 *
 * Replies arrive on a packet socket (packet(7)) that is open only while they are expected.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'raw-socket'
import { Address } from '../address.ts'
import type { Mac } from '../address.ts'
import { COOKIE, decodeEchoReply, encodeEchoRequest } from '../wire/echo.ts'
import type { EchoTag } from '../wire/echo.ts'
import { echoReplyFilter } from '../wire/filter.ts'
import { ETHERTYPE_IPV6 } from '../wire/frame.ts'
import type { LinkHeader } from '../wire/frame.ts'
import { native } from './native.ts'
import type { NativeSocket } from './native.ts'
import { hasPartialChecksum, PACKET_HOST, packetType, receiveBatch } from './packet-meta.ts'
import {
  IPPROTO_IPV6, IPV6_HDRINCL, IPV6_MULTICAST_IF, IPV6_MULTICAST_LOOP, openIcmp, sendTo, setOption,
} from './raw-icmp.ts'

/** Time after the last request in which replies count. Milliseconds. */
const REPLY_TIME = 3000
/** A reply takes 70 bytes. */
const SLOT = 128
const SLOTS = 64
/** Bytes: a thousand hosts may reply at once. */
const RECEIVE_BUFFER = 2 ** 20

export interface DiscoveryReader {
  /** A reply. @param mac undefined on a link without Ethernet addresses */
  echo(source: Address, mac: Mac | undefined): void
  /** An error of sending or receiving, to be judged by `verdict`. */
  failed(error: Error): void
}

/** The open sockets while replies are expected. */
interface Search extends EchoTag {
  readonly requests: Socket
  readonly replies: NativeSocket
  /** Sources of the requests: only replies to them count. */
  readonly sources: Set<string>
}

export class Discovery {
  readonly #ifindex: number
  readonly #linkHeader: LinkHeader
  readonly #identifier: number
  readonly #reader: DiscoveryReader
  #search: Search | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** Opens nothing yet. @param identifier of the requests, 16 bits: other programs of this machine may ping as well */
  constructor(
    link: { readonly ifindex: number; readonly mac: Mac | undefined }, identifier: number, reader: DiscoveryReader,
  ) {
    this.#ifindex = link.ifindex
    this.#linkHeader = link.mac === undefined ? 0 : 14
    this.#identifier = identifier
    this.#reader = reader
  }

  /** Sends one request from each of `sources`. Never throws. */
  discover(sources: readonly Address[]): void {
    if (this.#closed || sources.length === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#stop(), REPLY_TIME).unref()
    try {
      this.#search ??= this.#start()
      for (const source of sources) {
        this.#search.sources.add(source.toString())
        sendTo(this.#search.requests, encodeEchoRequest(source, Address.allNodes, this.#search), Address.allNodes)
      }
    } catch (error) {
      this.#reader.failed(error as Error)
    }
  }

  /** Idempotent. The reader is not called again. */
  close(): void {
    this.#closed = true
    this.#stop()
  }

  /** @throws OsError */
  #start(): Search {
    const linkHeader = this.#linkHeader
    const requests = openIcmp((socket) => {
      setOption(socket, IPPROTO_IPV6, IPV6_HDRINCL, 1)
      setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, this.#ifindex)
      setOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    })
    try {
      const replies = native.openPacket({
        ifindex: this.#ifindex, protocol: ETHERTYPE_IPV6, filter: echoReplyFilter(linkHeader, this.#identifier),
        promiscuous: false, allMulticast: false, receiveBuffer: RECEIVE_BUFFER, cooked: linkHeader === 0,
      })
      const slab = new Uint8Array(SLOT * SLOTS)
      const meta = new Int32Array(4 * SLOTS)
      replies.start(() => this.#readable(slab, meta))
      return { requests, replies, identifier: this.#identifier, cookie: randomBytes(COOKIE), sources: new Set() }
    } catch (error) {
      requests.close()
      throw error
    }
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#search?.requests.close()
    this.#search?.replies.close()
    this.#search = undefined
  }

  #readable(slab: Uint8Array, meta: Int32Array): void {
    const received = receiveBatch(this.#search!.replies, slab, SLOT, meta, (error) => this.#reader.failed(error))
    for (let i = 0; i < received && this.#search !== undefined; i++) {
      // Frames with a VLAN tag have another packet type.
      if (packetType(meta, i) !== PACKET_HOST) continue
      const partial = hasPartialChecksum(meta, i)
      const reply = decodeEchoReply(
        slab, i * SLOT, Math.min(meta[4 * i], SLOT), this.#linkHeader, partial, this.#search)
      if (reply !== undefined && this.#search.sources.has(reply.destination.toString())) {
        this.#reader.echo(reply.source, reply.mac)
      }
    }
  }
}
