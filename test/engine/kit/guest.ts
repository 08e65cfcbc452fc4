/** A guest that is a router: the next hop of the kernel's route to all targets. */
import { ETH0, ETH1, ip, type Na, prefix, Stage, twoLinks, VM2 } from './stage.ts'

export * from './stage.ts'

export const CONFIG = 'proxy eth0 {\n timeout 500\n retries 3\n ttl 30s\n deadtime 20s\n rule 2001:db8::100:0/111 { auto }\n}'
export const HOP = '2001:db8::100:2'
export const HOP_LOCAL = 'fe80::2'
export const [A, B, C] = ['2001:db8::101:a', '2001:db8::101:b', '2001:db8::101:c']
export const GUEST = VM2

/** An engine whose lookups a kernel answers at once, with one route for all targets. */
export class Guest extends Stage {
  way: { ifindex: number | undefined; via: string | undefined }

  constructor(via = HOP, config = CONFIG, links = twoLinks()) {
    super(config, links)
    this.way = { ifindex: ETH1, via }
  }

  solicit(target: string, ifindex = ETH0): string | undefined {
    const outcome = this.ns(ifindex, target)
    this.#reply()
    return outcome
  }

  alive(hop = HOP, from = GUEST, more: Partial<Na> = {}): string | undefined {
    const outcome = this.na(ETH1, hop, from, more)
    this.#reply()
    return outcome
  }

  /** Lets time pass. The kernel answers in the same millisecond. */
  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.wait(Math.min(end, Math.max(this.now, this.engine.deadline ?? end)) - this.now)
      this.#reply()
      if (this.engine.deadline === undefined) this.wait(end - this.now)
    }
  }

  reroute(ifindex: number | undefined, via: string | undefined, changed?: string): void {
    this.way = { ifindex, via }
    this.handle({ kind: 'route-changed', prefix: changed === undefined ? undefined : prefix(changed) })
    this.pass(5)
  }

  /** `STATE iface via` of a target. */
  of(target: string): string {
    const found = this.engine.snapshot().neighbors.find((each) => each.target === target)
    return found === undefined ? '-' : [found.state, found.iface ?? '-', found.via ?? '-'].join(' ')
  }

  /** Use of the limits: next hops, and addresses behind them. */
  get used(): number[] {
    const limits = this.engine.limits(this.now)
    return ['next hops of routes', 'addresses behind next hops'].map((name) => limits.find((limit) => limit.name === name)!.used)
  }

  /** Targets that were answered for since the last call. */
  answers(): string[] { return this.sink.take('advertise').map((line) => line.split(' ').slice(1, 3).join(' ')) }

  #reply(): void {
    const isLookup = (line: string): boolean => line.startsWith('lookup ')
    for (;;) {
      const lookups = this.sink.lines.filter(isLookup)
      this.sink.lines = this.sink.lines.filter((line) => !isLookup(line))
      if (lookups.length === 0) return
      const { ifindex, via } = this.way
      const decision = { ifindex, local: false, via: via === undefined ? undefined : ip(via), length: 112 }
      for (const line of lookups) this.handle({ kind: 'lookup', target: ip(line.split(' ')[1]), decision })
    }
  }
}
