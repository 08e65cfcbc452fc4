/**
 * What netfilter does for us: the kernel keeps quiet about what ndp6d answers for, and shows the solicitations that it sends
 * itself. Where it cannot, that is said once, and the rest works without.
 */
import type { Logger } from 'pino'
import type { Address } from './address.ts'
import type { KernelNeighbor, QuietRule } from './engine/types.ts'
import type { OsError } from './linux/errors.ts'
import { native } from './linux/native.ts'
import type { OpenNetlink } from './linux/netlink.ts'
import { OwnSolicitations } from './linux/own-solicitations.ts'
import { Quiet } from './linux/quiet.ts'

export class Netfilter {
  readonly #log: Logger
  /** The kernel itself asks for `target`. */
  readonly #solicited: (ifindex: number, target: Address) => void
  readonly #open: OpenNetlink
  readonly #quiet: Quiet
  #rules: readonly QuietRule[] = []
  /** The links whose own solicitations are wanted. */
  readonly #links = new Set<number>()
  #own: OwnSolicitations | undefined
  #timer: NodeJS.Immediate | undefined
  /** What was said that cannot be done. */
  #isLoud = false
  #isDeaf = false

  constructor(log: Logger, solicited: (ifindex: number, target: Address) => void, open: OpenNetlink = native.openNetlink) {
    this.#log = log
    this.#solicited = solicited
    this.#open = open
    this.#quiet = new Quiet(open)
  }

  /** All of it: replaces what was said before. Soon. */
  quiet(rules: readonly QuietRule[]): void {
    this.#rules = rules
    this.#applySoon()
  }

  /** Tell of the solicitations that this machine sends there, or do not any more. Soon. */
  hear(ifindex: number, isWanted: boolean): void {
    if (this.#links.has(ifindex) === isWanted) return
    if (isWanted) this.#links.add(ifindex)
    else this.#links.delete(ifindex)
    this.#applySoon()
  }

  /** The kernel's last word on a neighbor that it asked for in vain has to do where its solicitations are not shown. */
  neighbor({ ifindex, target, state }: KernelNeighbor): void {
    if (this.#isDeaf && state === 'failed' && this.#links.has(ifindex)) this.#solicited(ifindex, target)
  }

  /** At once. */
  apply(): void {
    clearImmediate(this.#timer)
    this.#timer = undefined
    const unheard = this.#links.size > 0 ? this.#listen() : undefined
    const group = this.#links.size > 0 ? this.#own?.group : undefined
    const unshown = this.#quiet.apply(this.#rules, group)
    const loud = unshown !== undefined && group !== undefined ? this.#quiet.apply(this.#rules) : unshown
    // What was in force before may still be so.
    const deaf = this.#links.size > 0 && this.#quiet.group === undefined ? unheard ?? unshown : undefined
    if (this.#quiet.group === undefined) this.#close()
    if (loud !== undefined && !this.#isLoud) {
      this.#log.warn({ reason: loud.code }, `the kernel's own reaction to unicast solicitations cannot be turned off `
        + `(nftables: ${loud.message}): askers may get an ICMPv6 error beside the answer`)
    }
    if (deaf !== undefined && !this.#isDeaf) {
      this.#log.warn({ reason: deaf.code }, `the kernel's own solicitations cannot be seen (nftables: ${deaf.message}): `
        + 'packets of this machine for a host that it does not know yet are lost for some three seconds')
    }
    this.#isLoud = loud !== undefined
    this.#isDeaf = deaf !== undefined
  }

  /** Leaves nothing behind. */
  close(): void {
    clearImmediate(this.#timer)
    this.#quiet.close()
    this.#close()
  }

  /** Once for all links that come together, since the table is made as a whole. */
  #applySoon(): void { this.#timer ??= setImmediate(() => this.apply()) }

  #listen(): OsError | undefined {
    try {
      this.#own ??= new OwnSolicitations(this.#links, this.#solicited, this.#open)
      return undefined
    } catch (error) {
      return error as OsError
    }
  }

  #close(): void {
    this.#own?.close()
    this.#own = undefined
  }
}
