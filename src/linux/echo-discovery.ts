/**
 * Finds the hosts of one link by Echo Requests to all nodes (RFC 4443 4.1, RFC 4291 2.7.1). Each host replies from an address of the same
 * scope as the source of the request. This source may be an address of another link, so the raw socket sends an IPv6 header of ours
 * (IPV6_HDRINCL).
 *
 * Replies arrive on a packet socket (packet(7)) that is open only while they are expected.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'raw-socket'
import { Address, type Mac } from '../address.ts'
import { COOKIE, decodeEchoReply, encodeEchoRequest, type EchoTag } from '../wire/echo.ts'
import { echoReplyFilter } from '../wire/filter.ts'
import { ETHERTYPE_IPV6, type LinkHeader } from '../wire/frame.ts'
import { isOutOfDescriptors, osError, type OsError } from './errors.ts'
import { Frames, PACKET_HOST } from './frames.ts'
import { native, type NativeSocket } from './native.ts'
import { IPPROTO_IPV6, IPV6_HDRINCL, openIcmp, sendOn, sendTo, setOption } from './raw-icmp.ts'

/** Milliseconds for which replies are accepted after the last request. */
const REPLY_TIME = 3000
/** Milliseconds until a discovery that found no free file descriptor is repeated. */
const RETRY = 1000
/** Bytes of a slot. A reply takes 70. */
const SLOT = 128
/** The most frames of a batch. */
const SLOTS = 64
/** Receive buffer in bytes: a thousand hosts may reply at once. */
const RECEIVE_BUFFER = 2 ** 20

export interface DiscoveryReader {
  /** An Echo Reply. @param mac undefined on a link without Ethernet addresses */
  echo(source: Address, mac: Mac | undefined): void
  /** An error of sending or receiving, to be judged by `verdict`. Its syscall is `discover` if no file descriptor is free. */
  failed(error: Error): void
  /** A repeated discovery has begun, after an earlier attempt found no free file descriptor. */
  opened?(): void
}

interface Search extends EchoTag {
  readonly requests: Socket
  readonly replies: NativeSocket
  /** Source addresses of the requests; only replies to these addresses are accepted. */
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
  /** Whether the last attempt found no free file descriptor: the next successful attempt then calls `opened`. */
  #isLate = false

  /** Opens no socket yet. @param identifier 16 bits that distinguish our Echo Requests from those of other programs */
  constructor(link: { readonly ifindex: number; readonly mac: Mac | undefined }, identifier: number, reader: DiscoveryReader) {
    this.#ifindex = link.ifindex
    this.#linkHeader = link.mac === undefined ? 0 : 14
    this.#identifier = identifier
    this.#reader = reader
  }

  /** Sends an Echo Request from each source, and accepts replies for a while. @param to destination of the requests */
  discover(sources: readonly Address[], to = Address.allNodes): void {
    if (this.#closed || sources.length === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#stop(), REPLY_TIME).unref()
    try {
      this.#search ??= this.#start()
      for (const source of sources) {
        this.#search.sources.add(source.toString())
        sendTo(this.#search.requests, encodeEchoRequest(source, to, this.#search), to)
      }
      if (!this.#isLate) return
      this.#isLate = false
      // The event loop calls `opened`, because the caller of `discover` may be in the middle of a step.
      setTimeout(() => this.#closed || this.#reader.opened?.(), 0).unref()
    } catch (error) {
      if (!isOutOfDescriptors(error)) return this.#reader.failed(error as Error)
      this.#reader.failed(osError(-(error as OsError).errno, 'discover'))
      clearTimeout(this.#timer)
      this.#isLate = true
      this.#timer = setTimeout(() => this.discover(sources, to), RETRY).unref()
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
      sendOn(socket, this.#ifindex)
    })
    try {
      const replies = native.openPacket({
        ifindex: this.#ifindex, protocol: ETHERTYPE_IPV6, filter: echoReplyFilter(linkHeader, this.#identifier),
        promiscuous: false, allMulticast: false, receiveBuffer: RECEIVE_BUFFER, cooked: linkHeader === 0,
      })
      const frames = new Frames(SLOT, SLOTS)
      replies.start(() => this.#readable(frames))
      return { requests, replies, identifier: this.#identifier, cookie: randomBytes(COOKIE), sources: new Set() }
    } catch (error) {
      requests.close()
      throw error
    }
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#search?.requests.close()
    this.#search?.replies.close(true)
    this.#search = undefined
  }

  #readable(frames: Frames): void {
    const received = frames.receive(this.#search!.replies, (error) => this.#reader.failed(error))
    for (let i = 0; i < received && this.#search !== undefined; i++) {
      // A reply to our address has PACKET_HOST; a frame of a VLAN has PACKET_OTHERHOST.
      if (frames.type(i) !== PACKET_HOST) continue
      const isPartial = frames.hasPartialChecksum(i)
      const reply = decodeEchoReply(frames.slab, i * SLOT, frames.length(i), this.#linkHeader, isPartial, this.#search)
      if (reply !== undefined && this.#search.sources.has(reply.destination.toString())) this.#reader.echo(reply.source, reply.mac)
    }
  }
}
