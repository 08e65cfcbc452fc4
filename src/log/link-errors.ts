/** Logs errors of a link's sockets: what failed, why, and what to do. The codes are in errno(3). */
import type { Limit } from '../events.ts'
import type { Log } from './log.ts'

type SocketError = Error & { readonly code?: string; readonly syscall?: string }

/** The most errors that are remembered as logged. Beyond it all are forgotten, so each is logged once more. */
const MAX_ERRORS = 256

/** What failed, by the `syscall` of the error. */
const ACTIONS: Readonly<Record<string, string>> = {
  sendto: 'cannot send a probe', sendmmsg: 'cannot send', recvmmsg: 'cannot receive', bind: 'cannot receive', setsockopt: 'cannot receive',
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

/** @param neighborLimit if it can be read @returns the reason of an error and what to do; undefined for an unexpected one */
function explain({ code = '', syscall = '' }: SocketError, neighborLimit: number | undefined): string | undefined {
  if (code === 'EPERM' && syscall.startsWith('send')) return 'a firewall drops it; let ICMPv6 pass its output chain'
  // ip6_finish_output2() of Linux returns EINVAL when it cannot make a neighbor entry for the destination.
  if (code === 'EINVAL' && syscall === 'sendto' && neighborLimit !== undefined) {
    return `the kernel's neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3 (now ${neighborLimit})`
  }
  return REASONS.find(([codes]) => codes.includes(code))?.[1]
}

export class LinkErrorLog {
  readonly #log: Log
  readonly #readNeighborLimit: () => number | undefined
  /** `LINK CODE` of each error that was logged. */
  readonly #logged = new Set<string>()

  constructor(log: Log, readNeighborLimit: () => number | undefined) {
    this.#log = log
    this.#readNeighborLimit = readNeighborLimit
  }

  get limits(): Limit[] { return [{ name: 'link errors logged once', used: this.#logged.size, size: MAX_ERRORS }] }

  /** Logs that the sockets of a link are open, if an error of the link was logged before. Further errors are then logged again. */
  opened(iface: string): void {
    const keys = [...this.#logged].filter((key) => key.startsWith(`${iface} `))
    for (const key of keys) this.#logged.delete(key)
    if (keys.length > 0) this.#log.news('link opened', { event: 'link', iface, state: 'opened' }, `${iface}: its sockets are open now`)
  }

  /** Logs an error at debug, or at error if it is lasting and new. @param isTemporary the error ends when the link is back */
  failed(iface: string, error: SocketError, isTemporary: boolean): void {
    const { code, syscall = '', message } = error
    const key = `${iface} ${code}`
    const isNew = !isTemporary && !this.#logged.has(key)
    if (isNew && this.#logged.size >= MAX_ERRORS) this.#logged.clear()
    if (isNew) this.#logged.add(key)
    const level = isNew ? 'error' : 'debug'
    if (!this.#log.isLevelEnabled(level)) return
    const action = Object.hasOwn(ACTIONS, syscall) ? ACTIONS[syscall] : 'cannot use the link'
    const reason = explain(error, code === 'EINVAL' ? this.#readNeighborLimit() : undefined)
    const fields = { event: 'link-error', iface, reason: code ?? message, err: reason === undefined ? error : undefined } as const
    this.#log[level](fields, `${iface}: ${action}: ${reason ?? message}`)
  }
}
