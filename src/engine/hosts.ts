/** The `host` lines of all subnets: addresses in columns, and what hosts with the same owner's place share. */
import type { Address } from '../address.ts'
import type { PinnedHost } from '../config/config.ts'
import { fits, fitsAny } from './link-sets.ts'
import { PrefixIndex, PrefixList } from './prefix-table.ts'
import type { ActiveRule, ActiveSubnet } from './rule.ts'
import type { Random } from './types.ts'

/** What one subnet says of all of its hosts on one link, or of those without one. */
export interface Pin {
  readonly subnet: ActiveSubnet
  /** The one link of the host; without it any downstream. */
  readonly iface: string | undefined
}

/** A host that is always known, by the rule of today's prefix that holds it. */
export interface Pinned {
  readonly address: Address
  readonly pin: Pin
  readonly rule: ActiveRule
}

export class Hosts {
  readonly #list: PrefixList<Pin>
  readonly #index: PrefixIndex<Pin>
  readonly #pins: Pin[] = []
  readonly #found: number[] = []

  /** @param size how many there will be */
  constructor(random: Random, size: number) {
    this.#list = new PrefixList(size)
    this.#index = new PrefixIndex(this.#list, random)
  }

  add(subnet: ActiveSubnet, hosts: readonly PinnedHost[]): void {
    const pins = new Map<string | undefined, Pin>()
    for (const { address, iface } of hosts) {
      let pin = pins.get(iface)
      if (pin === undefined) {
        pins.set(iface, pin = { subnet, iface })
        this.#pins.push(pin)
      }
      this.#index.add(this.#list.add(address, pin), 128)
    }
  }

  /** Whether the address is in the file, and in a prefix of its subnet. */
  has(w0: number, w1: number, w2: number, w3: number): boolean { return this.#rulesOf(w0, w1, w2, w3, isAny) }

  /** Whether it is moreover one of those that are always known. */
  isPinned(w0: number, w1: number, w2: number, w3: number): boolean { return this.#rulesOf(w0, w1, w2, w3, isCertain) }

  /** What is said of hosts of one certain link. The others are looked for like any host, and asked for even with `learn no`. */
  get pins(): Pin[] { return this.#pins.filter(isCertain) }

  /** The hosts of which one of these is said. */
  * pinned(pins: ReadonlySet<Pin>): Generator<Pinned> {
    for (let id = 0; id < this.#list.size; id++) {
      const pin = this.#list.value(id)
      if (!pins.has(pin)) continue
      const address = this.#list.address(id)
      const rule = ruleOf(pin, address)
      if (rule !== undefined) yield { address, pin, rule }
    }
  }

  /** Those that others ask for on a link of this name. */
  * askedOn(name: string): Generator<Address> {
    const wanted = new Map<Pin, boolean>()
    for (let id = 0; id < this.#list.size; id++) {
      const pin = this.#list.value(id)
      let isWanted = wanted.get(pin)
      if (isWanted === undefined) wanted.set(pin, isWanted = isAskedOn(pin, name))
      if (!isWanted) continue
      const address = this.#list.address(id)
      if (ruleOf(pin, address) !== undefined) yield address
    }
  }

  #rulesOf(w0: number, w1: number, w2: number, w3: number, says: (pin: Pin) => boolean): boolean {
    if (this.#list.size === 0) return false
    const count = this.#index.collect(w0, w1, w2, w3, this.#found)
    // Of nearly all addresses nothing is said.
    for (let i = 0; i < count; i++) {
      const pin = this.#list.value(this.#found[i])
      if (says(pin) && ruleOf(pin, this.#list.address(this.#found[i])) !== undefined) return true
    }
    return false
  }
}

/** Here, so that no packet makes a function. */
function isAny(): boolean { return true }

/** On which link it is can be said without asking. */
function isCertain({ iface, subnet: { downstream } }: Pin): boolean {
  return iface !== undefined || (downstream.length === 1 && !downstream[0].includes('*'))
}

/** What is downstream is asked for upstream, and the other way round. */
function isAskedOn({ iface, subnet: { upstream, downstream } }: Pin, name: string): boolean {
  return iface === upstream ? name !== upstream && fitsAny(downstream, name) : fits(upstream, name)
}

function ruleOf({ subnet: { active } }: Pin, address: Address): ActiveRule | undefined {
  return active.find(({ prefix }) => prefix.contains(address))?.rule
}
