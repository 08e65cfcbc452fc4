/** The `host` lines of all subnets. A host whose link is certain is pinned: it is answered for without a probe, and is never displaced. */
import { Address } from '../../address.ts'
import type { PinnedHost } from '../../config/config.ts'
import { fits, fitsAny } from '../links/link-sets.ts'
import { PrefixTable } from '../tables/prefix-table.ts'
import type { Random } from '../../engine-types.ts'
import type { ActiveRule, ActiveSubnet } from './rule.ts'

/** The part that all `host` lines with the same subnet and interface have in common. */
export interface Pin {
  readonly subnet: ActiveSubnet
  /** Undefined: any downstream link. */
  readonly iface: string | undefined
}

/** A pinned host, with the rule of the present prefix that contains its address. */
export interface Pinned {
  readonly address: Address
  readonly pin: Pin
  readonly rule: ActiveRule
}

export class HostLines {
  readonly #hosts: Omit<Pinned, 'rule'>[] = []
  readonly #table: PrefixTable<Pin>
  readonly #pins: Pin[] = []
  readonly #found: Pin[] = []

  constructor(random: Random) { this.#table = new PrefixTable(random) }

  add(subnet: ActiveSubnet, hosts: readonly PinnedHost[]): void {
    const pins = new Map<string | undefined, Pin>()
    for (const { address, iface } of hosts) {
      let pin = pins.get(iface)
      if (pin === undefined) {
        pins.set(iface, pin = { subnet, iface })
        this.#pins.push(pin)
      }
      this.#hosts.push({ address, pin })
      this.#table.add(address, 128, pin)
    }
  }

  /** @returns whether a `host` line names the address, and the address is in a present prefix of that line's subnet */
  has(w0: number, w1: number, w2: number, w3: number): boolean { return this.#find(w0, w1, w2, w3, false) !== undefined }
  isPinned(w0: number, w1: number, w2: number, w3: number): boolean { return this.#find(w0, w1, w2, w3, true) !== undefined }

  /** @returns the name of the link to which the address is pinned, whether or not that link exists; undefined: the address is not pinned */
  linkOf({ w0, w1, w2, w3 }: Address): string | undefined {
    const pin = this.#find(w0, w1, w2, w3, true)
    return pin && (pin.iface ?? pin.subnet.downstream[0])
  }

  /** @returns the subnet whose `host` line names the address, and the index of the line; undefined when {@link has} returns false */
  find(address: Address): { subnet: ActiveSubnet; index: number } | undefined {
    const found = this.#hosts.find((host) => host.address.equals(address) && ruleOf(host.pin, address) !== undefined)
    if (found === undefined) return undefined
    const { pin: { subnet } } = found
    return { subnet, index: this.#hosts.filter(({ pin }) => pin.subnet === subnet).indexOf(found) }
  }

  /** The pins whose link is certain. Hosts of other pins are probed for on all downstream links, even with `learn no`. */
  get pins(): Pin[] { return this.#pins.filter(isCertain) }

  * pinned(pins: ReadonlySet<Pin>): Generator<Pinned> {
    for (const { address, pin } of this.#hosts) {
      const rule = pins.has(pin) ? ruleOf(pin, address) : undefined
      if (rule !== undefined) yield { address, pin, rule }
    }
  }

  /** Iterates over the addresses of hosts that are solicited on a link of this name. */
  * solicitedOn(name: string): Generator<Address> {
    const pins = new Set(this.#pins.filter((pin) => isSolicitedOn(pin, name)))
    for (const { address, pin } of this.#hosts) if (pins.has(pin) && ruleOf(pin, address) !== undefined) yield address
  }

  #find(w0: number, w1: number, w2: number, w3: number, onlyCertain: boolean): Pin | undefined {
    const count = this.#table.collect(w0, w1, w2, w3, this.#found)
    for (let i = 0; i < count; i++) {
      const pin = this.#found[i]
      if ((!onlyCertain || isCertain(pin)) && ruleOf(pin, new Address(w0, w1, w2, w3)) !== undefined) return pin
    }
    return undefined
  }
}

/** @returns whether the link of these hosts is certain without a probe */
function isCertain({ iface, subnet: { downstream } }: Pin): boolean {
  return iface !== undefined || (downstream.length === 1 && !downstream[0].includes('*'))
}

/** @returns whether routers or hosts on the link solicit for the pinned host: it is downstream and the link upstream, or the reverse */
function isSolicitedOn({ iface, subnet: { upstream, downstream } }: Pin, name: string): boolean {
  return iface === upstream ? name !== upstream && fitsAny(downstream, name) : fits(upstream, name)
}

/** @returns the rule of the present prefix that contains the address; undefined: none */
function ruleOf({ subnet: { active } }: Pin, address: Address): ActiveRule | undefined {
  return active.find(({ prefix }) => prefix.contains(address))?.rule
}
