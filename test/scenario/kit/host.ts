/**
 * Hosts that behave like Linux, as seen by an ND proxy: DAD (RFC 4862 5.4), address resolution and NUD (RFC 4861 7.2, 7.3), answers
 * with Override to multicast solicitations, without it and without TLLA to unicast ones, and echo replies. A host receives only
 * frames to itself and to its groups, and sends nothing by itself.
 */
import { Address, formatMac, type Mac } from '../../../src/address.ts'
import type { KernelNeighbor } from '../../../src/engine-types.ts'
import { RETRANS_TIMER } from '../../../src/wire/constants.ts'
import { multicastMac } from '../../../src/wire/frame.ts'
import { addressOf, echoFrame, type Frame, macOf, naFrame, nsFrame } from './frame.ts'
import type { ReadFrame } from '../../kit/read-frame.ts'
import type { Port, Segment, World } from './world.ts'

const ALL_NODES = multicastMac(Address.allNodes.w3)
const ALL_ROUTERS = multicastMac(Address.allRouters.w3)
/** RFC 4861 10. */
const DELAY_FIRST_PROBE_TIME = 5000
const REACHABLE_TIME = 30_000
/** Packets that wait for an address to be resolved (RFC 4861 7.2.2). */
const WAITING_LIMIT = 3

interface Entry {
  state: 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'FAILED'
  mac: string
  router: boolean
  probes: number
  /** Invalidates timers of an earlier state. */
  epoch: number
  waiting: (() => void)[]
}

/** Reports of a kernel over netlink and packet sockets. */
export interface Observer {
  /** The kernel sends a multicast solicitation. */
  solicited(target: string): void
  neighbor(target: string, mac: Mac | undefined, state: KernelNeighbor['state'], router: boolean): void
  /** A frame arrives; the kernel gets it afterwards. */
  frame(frame: Frame): void
  /** @returns whether a program is a member of the group */
  accepts(mac: number): boolean
}

export class Host implements Port {
  readonly mac: string
  readonly linkLocal: string
  readonly addresses = new Map<string, 'tentative' | 'valid' | 'duplicate'>()
  /** Its firewall drops echo requests. */
  isShy = false
  readonly #world: World
  readonly #macNumber: number
  readonly #cache = new Map<string, Entry>()
  readonly #groups = new Set<number>()
  /** The newest DAD for each address. */
  readonly #claims = new Map<string, object>()
  #segment: Segment
  #isRouter = false
  #observer: Observer | undefined

  /** @param n makes its link-layer and link-local addresses; `valid`: its other addresses, without DAD */
  constructor(segment: Segment, n: number, ...valid: string[]) {
    this.#world = segment.world
    this.#macNumber = 0x020000000000 + n
    this.mac = formatMac(this.#macNumber as Mac)
    this.linkLocal = `fe80::${n.toString(16)}`
    this.#segment = segment
    segment.plug(this)
    for (const address of [this.linkLocal, ...valid]) this.assign(address)
  }

  /** Becomes a router: its advertisements have R=1. */
  route(): void {
    this.#isRouter = true
    this.#segment.changed()
  }

  /** Reports to the observer from now on. */
  observe(observer: Observer): void {
    this.#observer = observer
    this.#segment.changed()
  }

  /** Connects it to another segment, or again to the same. */
  move(segment: Segment): void {
    this.unplug()
    this.#segment = segment
    segment.plug(this)
  }

  unplug(): void { this.#segment.unplug(this) }

  /** Adds an address without DAD. */
  assign(address: string, state: 'tentative' | 'valid' | 'duplicate' = 'valid'): void {
    this.addresses.set(address, state)
    this.#groups.add(multicastMac(addressOf(address).solicitedNode.w3))
    this.#segment.changed()
  }

  /** Removes an address. */
  release(address: string): void {
    this.addresses.delete(address)
    this.#groups.clear()
    for (const [other, state] of [...this.addresses]) this.assign(other, state)
    this.#segment.changed()
  }

  /** Adds an address with DAD: one probe within a second. */
  claim(address: string): void {
    const claim = {}
    const isTentative = (): boolean => this.#claims.get(address) === claim && this.addresses.get(address) === 'tentative'
    this.#claims.set(address, claim)
    this.assign(address, 'tentative')
    this.#world.after(this.#world.random() * 1000, () => {
      if (!isTentative()) return
      this.probe(address)
      this.#world.after(RETRANS_TIMER, () => { if (isTentative()) this.addresses.set(address, 'valid') })
    })
  }

  /** Sends a solicitation of DAD. */
  probe(target: string): void { this.send(nsFrame({ target, from: this.mac, source: '::' })) }

  /** Sends an unsolicited NA with O=1 to all nodes, like a guest that has moved. */
  announce(target: string): void { this.send(naFrame({ target, from: this.mac, flags: this.#flags('O') })) }

  /** Sends a packet to `target`, after address resolution where it is needed. @param send sends it */
  use(target: string, send?: () => void): void {
    let entry = this.#cache.get(target)
    if (entry === undefined || entry.state === 'FAILED') {
      entry = { state: 'INCOMPLETE', mac: '', router: false, probes: 0, epoch: 0, waiting: [] }
      this.#cache.set(target, entry)
      this.#solicit(target, entry)
    } else if (entry.state === 'STALE') {
      const stale = entry
      this.#enter(target, entry, 'DELAY')
      this.#later(entry, DELAY_FIRST_PROBE_TIME, () => {
        this.#enter(target, stale, 'PROBE')
        stale.probes = 0
        this.#solicit(target, stale)
      })
    }
    if (send === undefined) return
    if (entry.state !== 'INCOMPLETE') send()
    else if (entry.waiting.length < WAITING_LIMIT) entry.waiting.push(send)
  }

  /** Uses `target` every `ms`. */
  talk(target: string, ms = 1000): void {
    this.use(target)
    this.#world.after(ms, () => this.talk(target, ms))
  }

  /** Empties its neighbor cache. */
  forget(): void {
    for (const entry of this.#cache.values()) entry.epoch++
    this.#cache.clear()
  }

  /** @returns the link-layer address that packets for `target` go to */
  reaches(target: string): string | undefined {
    const entry = this.#cache.get(target)
    return entry === undefined || entry.state === 'INCOMPLETE' || entry.state === 'FAILED' ? undefined : entry.mac
  }

  send(frame: Frame): void { this.#segment.send(frame, this) }
  accepts(mac: number): boolean { return this.#isFor(mac) || this.#observer?.accepts(mac) === true }

  receive(frame: Frame): void {
    this.#observer?.frame(frame)
    if (!this.#isFor(frame.to)) return
    const { content } = frame
    switch (content.kind) {
      case 'NS': return this.#solicited(content)
      case 'NA': return this.#advertised(content)
      case 'echo-request': return this.#echo(content)
    }
  }

  #isFor(mac: number): boolean {
    return mac === this.#macNumber || mac === ALL_NODES || (mac === ALL_ROUTERS && this.#isRouter) || this.#groups.has(mac)
  }

  #flags(flags: string): string { return this.#isRouter ? `R${flags}` : flags }

  #solicit(target: string, entry: Entry): void {
    if (entry.probes++ === 3) return this.#enter(target, entry, 'FAILED')
    const unicast = entry.state === 'PROBE' ? { to: target, toMac: entry.mac } : {}
    this.send(nsFrame({ target, from: this.mac, source: this.#source, ...unicast }))
    if (entry.state === 'INCOMPLETE') this.#observer?.solicited(target)
    this.#later(entry, RETRANS_TIMER, () => this.#solicit(target, entry))
  }

  /** Source of its packets: the newest global address, of a router the link-local one. */
  get #source(): string {
    let source = this.linkLocal
    if (!this.#isRouter) for (const [address, state] of this.addresses) if (state === 'valid') source = address
    return source
  }

  #enter(target: string, entry: Entry, state: Entry['state']): void {
    entry.state = state
    entry.epoch++
    if (state === 'REACHABLE') this.#later(entry, REACHABLE_TIME * (0.5 + this.#world.random()), () => this.#enter(target, entry, 'STALE'))
    const { waiting, mac, router } = entry
    if (state !== 'INCOMPLETE' && waiting.length > 0) {
      entry.waiting = []
      if (state !== 'FAILED') for (const send of waiting) send()
    }
    this.#observer?.neighbor(target, state === 'FAILED' ? undefined : macOf(mac),
      state === 'REACHABLE' ? 'reachable' : state === 'FAILED' ? 'failed' : state === 'PROBE' ? 'probing' : 'known', router)
  }

  #later(entry: Entry, ms: number, work: () => void): void {
    const { epoch } = entry
    this.#world.after(ms, () => { if (entry.epoch === epoch) work() })
  }

  #solicited({ target, source, destination, from, lladdr }: ReadFrame): void {
    const mine = this.addresses.get(target)
    if (mine === 'tentative' && source === '::') this.addresses.set(target, 'duplicate')
    if (mine !== 'valid') return
    if (source === '::') return this.send(naFrame({ target, from: this.mac, flags: this.#flags('O') }))
    if (lladdr !== '') this.#learn(source, lladdr)
    this.send(destination === target ? naFrame({ target, from: this.mac, to: source, toMac: from, flags: this.#flags('S'), tlla: '' })
      : naFrame({ target, from: this.mac, to: source, toMac: from, flags: this.#flags('SO') }))
  }

  #echo({ source }: ReadFrame): void {
    if (this.isShy) return
    const own = source.startsWith('fe80:') ? this.linkLocal : this.#source
    this.use(source, () => this.send(echoFrame('echo-reply', { from: this.mac, source: own, to: source, toMac: this.reaches(source) })))
  }

  /** RFC 4861 7.2.3: the source of a solicitation. */
  #learn(source: string, mac: string): void {
    const entry = this.#cache.get(source)
    if (entry === undefined) {
      const fresh: Entry = { state: 'STALE', mac, router: false, probes: 0, epoch: 0, waiting: [] }
      this.#cache.set(source, fresh)
      this.#enter(source, fresh, 'STALE')
    } else if (entry.mac !== mac || entry.state === 'INCOMPLETE' || entry.state === 'FAILED') {
      entry.mac = mac
      this.#enter(source, entry, 'STALE')
    }
  }

  /** RFC 4861 7.2.5. */
  #advertised({ target, lladdr, from, flags }: ReadFrame): void {
    const [router, solicited, override] = ['R', 'S', 'O'].map((flag) => flags.includes(flag))
    const mine = this.addresses.get(target)
    if (mine === 'tentative') this.addresses.set(target, 'duplicate')
    if (mine !== undefined) return
    const entry = this.#cache.get(target)
    if (entry === undefined || entry.state === 'FAILED') return
    const mac = lladdr || from
    if (entry.state === 'INCOMPLETE') {
      if (lladdr === '') return
      entry.mac = mac
      entry.router = router
      return this.#enter(target, entry, solicited ? 'REACHABLE' : 'STALE')
    }
    const differs = lladdr !== '' && mac !== entry.mac
    if (differs && !override) {
      if (entry.state === 'REACHABLE') this.#enter(target, entry, 'STALE')
      return
    }
    if (differs) entry.mac = mac
    entry.router = router
    if (solicited) this.#enter(target, entry, 'REACHABLE')
    else if (differs) this.#enter(target, entry, 'STALE')
  }
}
