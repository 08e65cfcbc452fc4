/** A router with a default route that advertises itself. */
import { ETH0, ETH1, ip, mac, prefix, ROUTER, Stage, twoLinks, VM2 } from './stage.ts'
import type { Grant, Input } from '../../../src/engine/types.ts'

export const CONFIG = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  announce no
  router-advertisements yes
}`
/** Its prefix, as the recorder writes it. */
export const STATIC = '2001:db8::/64 86400 14400'

export class Router extends Stage {
  constructor(config = CONFIG, links = twoLinks()) {
    super(config, links)
    this.input({ kind: 'forwarding', isEnabled: true })
    this.input({ kind: 'gateways', gateways: [], hasDefaultRoute: true })
    this.wait(40_000)
    this.sink.take()
  }

  input(input: Input): void { this.handle(input) }
  /** Milliseconds since the last advertisement to all nodes. */
  advertised(ifindex: number): number { return [...this.engine.advertising.snapshot(this.now)].find((link) => link.ifindex === ifindex)!.age }
  get advertisements(): string[] { return this.sink.take('ra') }

  solicit(source: string, from = VM2): void {
    this.input({ kind: 'router-message', ifindex: ETH1, message: { kind: 'solicitation', source: ip(source), mac: mac(from) } })
  }

  grant([text, valid, preferred]: readonly [string, number, number], ifindex = ETH0): void {
    this.input({ kind: 'prefixes', ifindex, prefixes: [prefix(text)] })
    const grants: Grant[] = [{ prefix: prefix(text), valid: 1000 * valid, preferred: 1000 * preferred }]
    this.input({ kind: 'grants', ifindex, grants, mtu: undefined })
  }

  heard(source: string, from = ROUTER, lifetime = 1800): void {
    this.input({ kind: 'router-message', ifindex: ETH1, message: { kind: 'advertisement', source: ip(source), mac: mac(from), lifetime } })
  }
}
