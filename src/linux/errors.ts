/** Errors of the operating system (errno(3)), and the one place that decides how to go on. */
import { getSystemErrorName } from 'node:util'

/** An error as Node and the native addon throw it. */
export interface OsError extends Error {
  /** `ENETDOWN` ... */
  code: string
  /** Negative, as in Node. */
  errno: number
  syscall: string
}

/**
 * @param errno positive, as in errno(3). @param detail the kernel's message, or the failed operation
 */
export function osError(errno: number, syscall: string, detail?: string): OsError {
  const code = getSystemErrorName(-errno)
  const message = detail === undefined ? `${syscall} ${code}` : `${syscall} ${code}: ${detail}`
  return Object.assign(new Error(message), { code, errno: -errno, syscall })
}

/** `retry`: may work in a moment. `wait`: may work when the link comes back. `fatal`: will not work. */
export type Verdict = 'retry' | 'wait' | 'fatal'

const verdicts: Readonly<Record<string, Verdict>> = {
  EAGAIN: 'retry', EINTR: 'retry', ENOBUFS: 'retry', ENOMEM: 'retry',
  ENETDOWN: 'wait', ENODEV: 'wait', ENXIO: 'wait', EADDRNOTAVAIL: 'wait', ENETUNREACH: 'wait', EHOSTUNREACH: 'wait',
}

/** Judges a thrown value; `fatal` for anything but an {@link OsError}. */
export function verdict(error: unknown): Verdict {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return (typeof code === 'string' && Object.hasOwn(verdicts, code)) ? verdicts[code] : 'fatal'
}
