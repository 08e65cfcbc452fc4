/**
 * What an OS failure means for us: the one place that judges it (design: three kinds of wrong). errno(3).
 */
import { getSystemErrorName } from 'node:util'

/** As Node and the native addon throw it. */
export interface OsError extends Error {
  /** `ENETDOWN` ... */
  code: string
  /** Negative, as Node has it. */
  errno: number
  syscall: string
}

/**
 * @param errno positive, as in errno(3); @param detail the kernel's own words, or what was being done
 */
export function osError(errno: number, syscall: string, detail?: string): OsError {
  const code = getSystemErrorName(-errno)
  const message = detail === undefined ? `${syscall} ${code}` : `${syscall} ${code}: ${detail}`
  return Object.assign(new Error(message), { code, errno: -errno, syscall })
}

/** `retry`: it may work in a moment. `wait`: it may work when the link comes back. `fatal`: it will not. */
export type Verdict = 'retry' | 'wait' | 'fatal'

const verdicts: Readonly<Record<string, Verdict>> = {
  EAGAIN: 'retry', EINTR: 'retry', ENOBUFS: 'retry', ENOMEM: 'retry',
  ENETDOWN: 'wait', ENODEV: 'wait', ENXIO: 'wait', EADDRNOTAVAIL: 'wait', ENETUNREACH: 'wait', EHOSTUNREACH: 'wait',
}

/** Judges anything that was thrown by, or came back from, the operating system. */
export function verdict(error: unknown): Verdict {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return (typeof code === 'string' && Object.hasOwn(verdicts, code)) ? verdicts[code] : 'fatal'
}
