/** Logs errors of a link's sockets: what failed, why, and what to do. errno(3). */
import type { Logger } from 'pino'
import type { Limit } from '../engine/types.ts'

type SocketError = Error & { readonly code?: string; readonly syscall?: string }

/** Errors that are logged once. Above this number they are forgotten, and logged again. */
const MAX_ERRORS = 256

/** By `syscall`. */
const ACTIONS: Readonly<Record<string, string>> = {
  sendto: 'cannot send a probe', sendmmsg: 'cannot send', recvmmsg: 'cannot receive', bind: 'cannot receive', setsockopt: 'cannot receive',
}

const NOT_PERMITTED = 'not permitted; run ndp6d as root, or as the systemd service'
const DOWN = 'the link is down; waiting for it'
const GONE = 'the link is gone; waiting for it'
/** By `code`: the reason, and what to do. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: NOT_PERMITTED,
  EADDRNOTAVAIL: 'this machine has no IPv6 address to send from on this link; waiting for one',
  EAFNOSUPPORT: 'IPv6 is disabled on this machine; enable it (sysctl net.ipv6.conf.all.disable_ipv6)',
  EHOSTUNREACH: DOWN,
  EMFILE: 'too many open files; raise `LimitNOFILE=` of the unit',
  EMSGSIZE: 'the packet is longer than the MTU of the link; raise the MTU',
  ENETDOWN: DOWN,
  ENETUNREACH: DOWN,
  ENFILE: 'this machine has too many open files; raise sysctl fs.file-max',
  ENOBUFS: 'the send queue of the link is full; waiting for it',
  ENODEV: GONE,
  ENOMEM: 'this machine is out of memory; free some',
  ENXIO: GONE,
  EPERM: NOT_PERMITTED,
}

/**
 * @param neighborLimit net.ipv6.neigh.default.gc_thresh3, where it can be read
 * @returns the reason of an error and what to do; undefined for an unexpected one
 */
function explain({ code = '', syscall = '' }: SocketError, neighborLimit: number | undefined): string | undefined {
  if (code === 'EPERM' && syscall.startsWith('send')) return 'a firewall drops it; let ICMPv6 pass its output chain'
  // ip6_finish_output2() of Linux returns EINVAL when it cannot make an entry for the destination.
  if (code === 'EINVAL' && syscall === 'sendto' && neighborLimit !== undefined) {
    return `the kernel's neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3 (now ${neighborLimit})`
  }
  return Object.hasOwn(REASONS, code) ? REASONS[code] : undefined
}

export class LinkErrorLog {
  readonly #log: Logger
  readonly #readNeighborLimit: () => number | undefined
  /** Links and codes that were logged. */
  readonly #logged = new Set<string>()

  constructor(log: Logger, readNeighborLimit: () => number | undefined) {
    this.#log = log
    this.#readNeighborLimit = readNeighborLimit
  }

  get limits(): Limit[] { return [{ name: 'link errors logged once', used: this.#logged.size, size: MAX_ERRORS }] }

  /** Logs a lasting error of a link once at error. @param isTemporary logged at debug: it ends when the link is back */
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
    this.#log[level]({ iface, reason: code, err: reason === undefined ? error : undefined }, `${iface}: ${action}: ${reason ?? message}`)
  }
}
