/**
 * Uses netfilter for two things: to drop messages that ndp6d handles ({@link KernelFilter}), and to log the kernel's own solicitations
 * and unresolved packets ({@link OwnSolicitations}). If one of the two fails, ndp6d works without it and tries again. A warning is logged
 * once, if the second attempt fails too: an error may last only a moment, for example while links are deleted. After a warning, the first
 * success is logged.
 */
import type { Address } from '../address.ts'
import type { Filter, KernelNeighbor } from '../engine-types.ts'
import { hasNetAdmin } from './capabilities.ts'
import { isOutOfDescriptors, type OsError } from './errors.ts'
import { KernelFilter } from './kernel-filter.ts'
import type { Log } from './log.ts'
import { native } from './native.ts'
import type { OpenNetlink } from './netlink.ts'
import { OwnSolicitations } from './own-solicitations.ts'

/** Milliseconds. FIRST_PAUSE: from an error to the second attempt. PAUSE: between further attempts. */
const FIRST_PAUSE = 1000, PAUSE = 30_000

/** One of the two uses of netfilter. */
interface Use {
  readonly event: 'kernel-filter' | 'kernel-solicitations'
  readonly warning: (error: OsError) => string
  readonly recovery: string
  isFailing: boolean
  /** Whether the warning was logged. */
  isReported: boolean
}

export class Netfilter {
  readonly #log: Log
  readonly #solicited: (ifindex: number, target: Address) => void
  readonly #open: OpenNetlink
  readonly #kernelFilter: KernelFilter
  readonly #mayChange: boolean
  #filters: readonly Filter[] = []
  readonly #watched = new Set<number>()
  #own: OwnSolicitations | undefined
  #timer: NodeJS.Immediate | undefined
  #retryTimer: NodeJS.Timeout | undefined
  readonly #filtering: Use = {
    event: 'kernel-filter',
    warning: (error) => 'cannot keep the kernel from reacting to unicast solicitations '
      + `(nftables: ${error.message}): solicitors may get an ICMPv6 error beside the answer; ${advice(error, 'nf_tables')}`,
    recovery: 'the nftables table is set again, so the kernel does not react to unicast solicitations any more',
    isFailing: false, isReported: false,
  }
  readonly #watching: Use = {
    event: 'kernel-solicitations',
    warning: (error) => `cannot see the kernel's own solicitations (nftables: ${error.message}): `
      + `packets of this machine for an unknown host are lost for some three seconds; ${advice(error, 'nfnetlink_log')}`,
    recovery: 'the kernel\'s own solicitations can be seen again',
    isFailing: false, isReported: false,
  }

  /**
   * @param solicited called when the kernel, on a watched link, solicits `target` or sends a packet to `target` without resolution
   * @param mayChange whether this process may set the nftables table; else ndp6d works without the table
   */
  constructor(
    log: Log, solicited: (ifindex: number, target: Address) => void, open: OpenNetlink = native.openNetlink, mayChange = hasNetAdmin(),
  ) {
    this.#log = log
    this.#solicited = solicited
    this.#open = open
    this.#mayChange = mayChange
    this.#watching.isFailing = !mayChange
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

  /** Treats a failed neighbor entry of the kernel as a solicitation, as long as the kernel's own solicitations cannot be received. */
  neighbor({ ifindex, target, state }: KernelNeighbor): void {
    if (this.#watching.isFailing && state === 'failed' && this.#watched.has(ifindex)) this.#solicited(ifindex, target)
  }

  /**
   * Replaces the table now.
   * @param isRetry whether this call repeats a failed attempt. If it fails as well, a warning is logged, unless one was logged before
   */
  apply(isRetry = false): void {
    clearImmediate(this.#timer)
    this.#timer = undefined
    if (!this.#mayChange) return
    const isWanted = this.#watched.size > 0
    const listenError = isWanted ? this.#listen() : undefined
    const group = isWanted ? this.#own?.group : undefined
    const error = this.#kernelFilter.apply(this.#filters, group, this.#watched)
    const filterError = error !== undefined && group !== undefined ? this.#kernelFilter.apply(this.#filters) : error
    // After an error, the previous table may still log the solicitations. In this case, watching them has not failed.
    const watchError = isWanted && this.#kernelFilter.group === undefined ? listenError ?? error : undefined
    if (this.#kernelFilter.group === undefined) this.#stopListening()
    this.#record(this.#filtering, filterError, isRetry)
    this.#record(this.#watching, watchError, isRetry)
    if (filterError !== undefined || watchError !== undefined) this.#retryLater(isRetry ? PAUSE : FIRST_PAUSE)
    else this.#stopRetrying()
  }

  #record(use: Use, error: OsError | undefined, isRetry: boolean): void {
    use.isFailing = error !== undefined
    if (error === undefined && use.isReported) this.#log.info({ event: 'netfilter' }, use.recovery)
    if (error !== undefined && isRetry && !use.isReported) this.#log.warn({ event: use.event, reason: error.code }, use.warning(error))
    use.isReported = error !== undefined && (use.isReported || isRetry)
  }

  #retryLater(pause: number): void {
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined
      this.apply(true)
    }, pause)
  }

  #stopRetrying(): void {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = undefined
  }

  close(): void {
    clearImmediate(this.#timer)
    this.#stopRetrying()
    this.#kernelFilter.close()
    this.#stopListening()
  }

  /** Applies all changes of one turn of the event loop together, because the table is replaced as a whole. */
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
