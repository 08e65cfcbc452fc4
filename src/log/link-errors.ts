/** Logs errors of a link's sockets: what failed, why, and what to do. The codes are in errno(3). */
import type { Limit } from '../events.ts'
import { type Later, LinkGroup, linkNames } from './link-group.ts'
import type { RateLimitedLog } from './rate-limited-log.ts'

type SocketError = Error & { readonly code?: string; readonly syscall?: string }

/** The most errors in `#logged`. If another error comes, the set is emptied first, so errors that were in it can be logged again. */
const MAX_ERRORS = 256

/** What failed, by the `syscall` of the error. */
const ACTIONS: Readonly<Record<string, string>> = {
  discover: 'cannot look for hosts',
  sendto: 'cannot send', sendmmsg: 'cannot send', recvmmsg: 'cannot receive', bind: 'cannot receive', setsockopt: 'cannot receive',
}

/** Errors by `code`, with the reason, and what to do. */
const REASONS: readonly (readonly [codes: readonly string[], reason: string])[] = [
  [['EACCES', 'EPERM'], 'not permitted; run ndp6d as root, or as the systemd service'],
  [['EADDRNOTAVAIL'], 'this machine has no IPv6 address to send from on this link; waiting for one'],
  [['EAFNOSUPPORT'], 'IPv6 is disabled on this machine; enable it (sysctl net.ipv6.conf.all.disable_ipv6)'],
  [['EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH'], 'the link is down; waiting for it'],
  [['ENODEV', 'ENXIO'], 'the link is gone; waiting for it'],
  [['EMFILE'], 'too many open files; raise `LimitNOFILE=` of the unit; trying again every second'],
  [['ENFILE'], 'this machine has too many open files; raise sysctl fs.file-max; trying again every second'],
  [['EMSGSIZE'], 'the packet is longer than the MTU of the link; raise the MTU'],
  [['ENOBUFS'], 'the send queue of the link is full; waiting for it'],
  [['ENOMEM'], 'this machine is out of memory; free some'],
]

/** Codes of errors for lack of file descriptors. Many links have such an error at once, and are not served at all without their sockets. */
const OF_MACHINE = ['EMFILE', 'ENFILE']

/** @returns what failed, in words for one link or for several */
function describe({ code = '', syscall = '' }: SocketError, links: number): string {
  const isKnown = Object.hasOwn(ACTIONS, syscall) && (syscall === 'discover' || !OF_MACHINE.includes(code))
  return isKnown ? ACTIONS[syscall] : links === 1 ? 'cannot use the link' : 'cannot use the links'
}

/** @returns whether the kernel can make no neighbor entry for the destination (ip6_finish_output2() of Linux) */
function isTableFull({ code, syscall }: SocketError): boolean { return code === 'EINVAL' && syscall === 'sendto' }

/** @returns the reason of an error and what to do; undefined for an unexpected one */
function explain(error: SocketError, readNeighborLimit: () => number | undefined): string | undefined {
  const { code = '', syscall = '' } = error
  if (code === 'EPERM' && syscall.startsWith('send')) return 'a firewall drops it; let ICMPv6 pass its output chain'
  if (isTableFull(error)) {
    const limit = readNeighborLimit()
    const where = limit === undefined ? ' on the host of this container' : ` (now ${limit})`
    return `the kernel's neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3${where}`
  }
  return REASONS.find(([codes]) => codes.includes(code))?.[1]
}

export class LinkErrorLog {
  readonly #log: RateLimitedLog
  readonly #readNeighborLimit: () => number | undefined
  readonly #later: Later
  /** `LINK CODE` of each error that was logged. */
  readonly #logged = new Set<string>()
  /** Links with an error of the whole machine, by its code and by what failed. */
  readonly #ofMachine = new Map<string, LinkGroup>()
  readonly #opened: LinkGroup

  constructor(log: RateLimitedLog, readNeighborLimit: () => number | undefined, later: Later = (callback, ms) => { setTimeout(callback, ms).unref() }) {
    this.#log = log
    this.#readNeighborLimit = readNeighborLimit
    this.#later = later
    this.#opened = new LinkGroup((links) => {
      for (const iface of links) this.#opened.delete(iface)
      this.#log.news('link opened', { event: 'link', state: 'opened', ...about(links) },
        `${linkNames(links)}: ${links.length === 1 ? 'its' : 'their'} sockets are open now`)
    }, later)
  }

  get limits(): Limit[] { return [{ name: 'link errors logged once', used: this.#logged.size, size: MAX_ERRORS }] }

  /** Logs that the sockets of a link are open, if an error of the link was logged before. Further errors are then logged again. */
  opened(iface: string): void { if (this.gone(iface)) this.#opened.add(iface) }

  /** Forgets the errors of a link. @returns whether an error of the link was logged */
  gone(iface: string): boolean {
    const keys = [...this.#logged].filter((key) => key.startsWith(`${iface} `))
    for (const key of keys) this.#logged.delete(key)
    this.#opened.delete(iface)
    return [...this.#ofMachine.values()].filter((group) => group.delete(iface)).length + keys.length > 0
  }

  /**
   * Logs an error: at level error if it is lasting and new, else at level debug. An error of the whole machine is logged once for all links
   * that have it within a few seconds. @param isTemporary whether the error ends by itself, for example when the link is back
   */
  failed(iface: string, error: SocketError, isTemporary: boolean): void {
    const { code = '' } = error
    const key = `${iface} ${code}`
    const isNew = !isTemporary && !this.#logged.has(key)
    if (!isNew) return this.#write('debug', [iface], error)
    if (OF_MACHINE.includes(code) || isTableFull(error)) {
      this.#write('debug', [iface], error)
      const kind = `${code} ${describe(error, 1)}`
      if (!this.#ofMachine.has(kind)) this.#ofMachine.set(kind, new LinkGroup((links) => this.#write('error', links, error), this.#later))
      return this.#ofMachine.get(kind)!.add(iface)
    }
    if (this.#logged.size >= MAX_ERRORS) this.#logged.clear()
    this.#logged.add(key)
    this.#write('error', [iface], error)
  }

  #write(level: 'debug' | 'error', links: readonly string[], error: SocketError): void {
    if (!this.#log.isLevelEnabled(level)) return
    const { code, message } = error
    const reason = explain(error, this.#readNeighborLimit)
    const fields = { event: 'link-error', ...about(links), reason: code ?? message, err: reason === undefined ? error : undefined } as const
    // Errors of different sets of links are different causes for the log: a set is known by its first link and its size.
    this.#log[level](fields, `${linkNames(links)}: ${describe(error, links.length)}: ${reason ?? message}`, `${links.length} ${links[0]} ${code}`)
  }
}

/** @returns the first link, and the number of all links if there are several */
function about(links: readonly string[]): { iface: string; count?: number } {
  return links.length === 1 ? { iface: links[0] } : { iface: links[0], count: links.length }
}
