/** Errors of the operating system (errno(3)), and a verdict for each: may another attempt succeed? */
import { getSystemErrorName } from 'node:util'

/** An error as Node and the native addon throw it. */
export interface OsError extends Error {
  code: string
  /** The number of the error, negative as in Node. */
  errno: number
  syscall: string
}

/** @param errno positive, as in errno(3). @param detail the kernel's message, or the failed operation */
export function osError(errno: number, syscall: string, detail?: string): OsError {
  const code = getSystemErrorName(-errno)
  const message = detail === undefined ? `${syscall} ${code}` : `${syscall} ${code}: ${detail}`
  return Object.assign(new Error(message), { code, errno: -errno, syscall })
}

/** When another attempt may succeed. `retry`: in a moment. `wait`: once the link is back. `fatal`: never. */
export type Verdict = 'retry' | 'wait' | 'fatal'

const verdicts: Readonly<Record<string, Verdict>> = {
  EAGAIN: 'retry', EINTR: 'retry', ENOBUFS: 'retry', ENOMEM: 'retry', EMFILE: 'retry', ENFILE: 'retry',
  // The kernel's WireGuard refuses a packet if no AllowedIPs contain its destination (ENOKEY, which libuv does not name), or if the peer
  // has no endpoint yet (EDESTADDRREQ). Packets to other destinations may pass.
  'Unknown system error -126': 'retry', EDESTADDRREQ: 'retry',
  ENETDOWN: 'wait', ENODEV: 'wait', ENXIO: 'wait', EADDRNOTAVAIL: 'wait', ENETUNREACH: 'wait', EHOSTUNREACH: 'wait',
}

/** Judges a thrown value. @returns `fatal` also for a value that is no {@link OsError} */
export function verdict(error: unknown): Verdict {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return (typeof code === 'string' && Object.hasOwn(verdicts, code)) ? verdicts[code] : 'fatal'
}

/** @returns whether this process, or this machine, has no file descriptor left. An administrator may have to raise the limit. */
export function isOutOfDescriptors(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes((error as { code?: string } | null | undefined)?.code ?? '')
}

/** @returns the result of a request to the kernel; undefined when the kernel is too busy to reply */
export function unlessBusy<T>(request: () => T): T | undefined {
  try {
    return request()
  } catch (error) {
    if (verdict(error) === 'retry') return undefined
    throw error
  }
}
