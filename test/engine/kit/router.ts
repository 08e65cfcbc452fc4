/** A router that advertises itself on eth1, for the tests of Router Advertisements. */
import { ETH0, ETH1, ip, linkOf, mac, prefix, ROUTER, Stage, twoLinks, VM2 } from './stage.ts'
import type { Grant, Input } from '../../../src/engine-types.ts'

export const CONFIG = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  announce no
  router-advertisements yes
}`
export const AUTO = CONFIG.replace('2001:db8::/64', 'auto')
export const ALL = 'from fe80::ff:3 to ff02::1 33:33:00:00:00:01'
export const STATIC = '2001:db8::/64 86400 14400'

export const BARE = [linkOf(ETH0), linkOf(ETH1)]

/** A router with a default route. */
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

  grant(...grants: readonly (readonly [string, number, number])[]): void { this.grantOn(ETH0, ...grants) }

  grantOn(ifindex: number, ...grants: readonly (readonly [string, number, number])[]): void {
    this.input({ kind: 'prefixes', ifindex, prefixes: grants.map(([text]) => prefix(text)) })
    const list: Grant[] = grants.map(([text, valid, preferred]) => ({ prefix: prefix(text), valid: 1000 * valid, preferred: 1000 * preferred }))
    this.input({ kind: 'grants', ifindex, grants: list, mtu: undefined })
  }

  heard(source: string, from = ROUTER, lifetime = 1800): void {
    this.input({ kind: 'router-message', ifindex: ETH1, message: { kind: 'advertisement', source: ip(source), mac: mac(from), lifetime } })
  }
}
