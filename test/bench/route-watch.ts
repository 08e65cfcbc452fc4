/**
 * Hears what becomes of the host routes of some protocols: `node route-watch.js PROTOCOLS` (an array of numbers as JSON)
 * prints `ready`, on SIGUSR1 the `RouteNews` since SIGUSR2. rtnetlink(7). Its receive buffer holds everything.
 */
import { native } from '../../src/linux/native.ts'
import { RTM_DELROUTE, RTM_NEWROUTE, RTNLGRP_IPV6_ROUTE } from '../../src/wire/rtroute.ts'

export interface RouteNews {
  readonly added: number
  readonly deleted: number
  /** Milliseconds from the first of them to the last, as they were heard. */
  readonly adding: number
  readonly deleting: number
  /** Notifications were lost, so the figures are too small. */
  readonly overrun: boolean
}

const NETLINK_ROUTE = 0
const BATCH = 256
const SLOT = 512
/** Milliseconds: what cannot be told apart. */
const RESOLUTION = 0.1
/** Offsets in a message: its type; in struct rtmsg the destination's prefix length, and the protocol. */
const TYPE = 4
const LENGTH = 17
const PROTOCOL = 21

const protocols = new Set(JSON.parse(process.argv[2]) as number[])
const socket = native.openNetlink(NETLINK_ROUTE, Uint32Array.of(RTNLGRP_IPV6_ROUTE), new Uint8Array(0), 256 << 20)
const slab = new Uint8Array(BATCH * SLOT)
const types = new Uint16Array(slab.buffer)
const meta = new Int32Array(BATCH * 4)
const empty = () => ({ count: 0, first: 0, last: 0 })
/** What is heard in one batch took some time, too. */
const span = ({ first, last }: ReturnType<typeof empty>) => Math.max(RESOLUTION, last - first)
let news = { [RTM_NEWROUTE]: empty(), [RTM_DELROUTE]: empty(), overrun: false }

function listen(): void {
  for (let count = BATCH; count === BATCH;) {
    try {
      count = socket.receive(slab, SLOT, meta)
    } catch {
      news.overrun = true
      continue
    }
    const now = performance.now()
    for (let i = 0; i < count; i++) {
      const entry = (news as Record<number, ReturnType<typeof empty> | undefined>)[types[(i * SLOT + TYPE) / 2]]
      if (entry === undefined || slab[i * SLOT + LENGTH] !== 128 || !protocols.has(slab[i * SLOT + PROTOCOL])) continue
      if (entry.count++ === 0) entry.first = now
      entry.last = now
    }
  }
}

socket.start(listen)
process.on('SIGUSR1', () => {
  listen()
  const { [RTM_NEWROUTE]: added, [RTM_DELROUTE]: deleted, overrun } = news
  process.stdout.write(`${JSON.stringify({ added: added.count, deleted: deleted.count, adding: span(added),
    deleting: span(deleted), overrun } satisfies RouteNews)}\n`)
})
process.on('SIGUSR2', () => {
  listen()
  news = { [RTM_NEWROUTE]: empty(), [RTM_DELROUTE]: empty(), overrun: false }
  process.stdout.write('begun\n')
})
process.stdout.write('ready\n')
