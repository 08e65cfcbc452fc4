/**
 * Uses netfilter for two things: the kernel drops messages that ndp6d handles ({@link KernelFilter}), and logs the solicitations that the
 * kernel itself sends ({@link OwnSolicitations}). Where one of the two fails, ndp6d works without it and logs one warning.
 */
import type { Address } from '../address.ts'
import type { Filter, KernelNeighbor } from '../engine/types.ts'
import { isOutOfDescriptors, type OsError } from './errors.ts'
import { KernelFilter } from './kernel-filter.ts'
import type { Log } from './log.ts'
import { native } from './native.ts'
import type { OpenNetlink } from './netlink.ts'
import { OwnSolicitations } from './own-solicitations.ts'

/** Milliseconds until an attempt that had no file descriptor is repeated. */
const RETRY = 1000

export class Netfilter {
  readonly #log: Pick<Log, 'warn'>
  readonly #solicited: (ifindex: number, target: Address) => void
  readonly #open: OpenNetlink
  readonly #kernelFilter: KernelFilter
  #filters: readonly Filter[] = []
  readonly #watched = new Set<number>()
  #own: OwnSolicitations | undefined
  #timer: NodeJS.Immediate | undefined
  #retry: NodeJS.Timeout | undefined
  /** Which of the two uses fails at present: its warning is logged already. */
  #isUnfiltered = false
  #isUnwatched = false

  /** @param solicited called when the kernel itself solicits `target` on a watched link */
  constructor(log: Pick<Log, 'warn'>, solicited: (ifindex: number, target: Address) => void, open: OpenNetlink = native.openNetlink) {
    this.#log = log
    this.#solicited = solicited
    this.#open = open
    this.#kernelFilter = new KernelFilter(open)
  }

  /** Replaces all filters, in the next turn of the event loop. */
  filter(filters: readonly Filter[]): void {
    this.#filters = filters
    this.#applySoon()
  }

  /** Starts or stops watching the solicitations that this machine sends on a link, in the next turn of the event loop. */
  watch(ifindex: number, isWanted: boolean): void {
    if (this.#watched.has(ifindex) === isWanted) return
    if (isWanted) this.#watched.add(ifindex)
    else this.#watched.delete(ifindex)
    this.#applySoon()
  }

  /** Treats a failed neighbor entry of the kernel as a solicitation, while the kernel's solicitations themselves cannot be seen. */
  neighbor({ ifindex, target, state }: KernelNeighbor): void {
    if (this.#isUnwatched && state === 'failed' && this.#watched.has(ifindex)) this.#solicited(ifindex, target)
  }

  apply(): void {
    clearImmediate(this.#timer)
    clearTimeout(this.#retry)
    this.#timer = undefined
    const isWanted = this.#watched.size > 0
    const listenError = isWanted ? this.#listen() : undefined
    const group = isWanted ? this.#own?.group : undefined
    const error = this.#kernelFilter.apply(this.#filters, group)
    const filterError = error !== undefined && group !== undefined ? this.#kernelFilter.apply(this.#filters) : error
    // After an error the previous table may still log the solicitations.
    const watchError = isWanted && this.#kernelFilter.group === undefined ? listenError ?? error : undefined
    if (this.#kernelFilter.group === undefined) this.#stopListening()
    if (filterError !== undefined && !this.#isUnfiltered) {
      this.#log.warn({ reason: filterError.code }, 'cannot keep the kernel from reacting to unicast solicitations '
        + `(nftables: ${filterError.message}): solicitors may get an ICMPv6 error beside the answer; ${advice(filterError, 'nf_tables')}`)
    }
    if (watchError !== undefined && !this.#isUnwatched) {
      this.#log.warn({ reason: watchError.code }, `cannot see the kernel's own solicitations (nftables: ${watchError.message}): `
        + `packets of this machine for an unknown host are lost for some three seconds; ${advice(watchError, 'nfnetlink_log')}`)
    }
    this.#isUnfiltered = filterError !== undefined
    this.#isUnwatched = watchError !== undefined
    if ([filterError, watchError].some(isOutOfDescriptors)) this.#retry = setTimeout(() => this.apply(), RETRY)
  }

  close(): void {
    clearImmediate(this.#timer)
    clearTimeout(this.#retry)
    this.#kernelFilter.close()
    this.#stopListening()
  }

  /** Applies all changes of one turn together, because the table is replaced as a whole. */
  #applySoon(): void { this.#timer ??= setImmediate(() => this.apply()) }

  #listen(): OsError | undefined {
    try {
      this.#own ??= new OwnSolicitations(this.#watched, this.#solicited, this.#open)
      return undefined
    } catch (error) {
      return error as OsError
    }
  }

  #stopListening(): void {
    this.#own?.close()
    this.#own = undefined
  }
}

function advice(error: OsError, module: string): string {
  return isOutOfDescriptors(error) ? 'raise `LimitNOFILE=` of the unit' : `load the kernel module ${module}`
}
