/**
 * Writes text to stdout or stderr without waiting: a reader that stalls, or a full disk, must not stop the daemon. Text that cannot be
 * written at once waits in a queue of limited size. Further text is dropped and counted while the queue is full.
 */
import { constants, fstatSync, openSync, writevSync } from 'node:fs'
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Limit } from '../events.ts'

/** Limit of the queue, bytes. Text that would exceed the limit is dropped, unless the queue is empty. */
const MAX_QUEUED = 2 ** 20
/** The most pieces of text per system call; the kernel takes 1024 (IOV_MAX). */
const MAX_PIECES = 512
/** Shortest time between two attempts to write, milliseconds. The time doubles with each attempt that writes nothing. */
const MIN_PAUSE = 1
/** Longest time between two attempts to write, milliseconds. */
const MAX_PAUSE = 1000

export class Output {
  readonly #fd: number
  readonly #name: string
  readonly #dropped: (count: number, reason: string) => void
  readonly #queue: Buffer[] = []
  #queued = 0
  #drops = 0
  /** Code of the last failed write. */
  #reason = ''
  #pause = MIN_PAUSE
  #timer: NodeJS.Timeout | undefined

  /**
   * @param fd 1 or 2. A pipe or a terminal is made non-blocking for this process only, a socket for all processes that share it
   * @param dropped called when the queue has been written, if `count` pieces of text were dropped. `reason` is the error code (errno(3))
   *   of the last failed write
   */
  constructor(fd: 1 | 2, dropped: (count: number, reason: string) => void) {
    this.#fd = openWithoutWaiting(fd)
    this.#name = fd === 1 ? 'stdout' : 'stderr'
    this.#dropped = dropped
  }

  get limits(): Limit[] { return [{ name: `bytes waiting for ${this.#name}`, used: this.#queued, size: MAX_QUEUED }] }

  /** Writes `text`, or queues or drops it. Never throws. */
  write(text: string): void {
    const bytes = Buffer.from(text)
    if (bytes.length === 0) return
    const isFirst = this.#queue.length === 0
    // Text for an empty queue may have any size: a record of all neighbors has megabytes.
    if (!isFirst && this.#queued + bytes.length > MAX_QUEUED) {
      this.#drops++
      return
    }
    this.#queue.push(bytes)
    this.#queued += bytes.length
    if (isFirst) this.#flush()
  }

  /** Waits until the queue has been written, for `limit` milliseconds at most. */
  async drained(limit: number): Promise<void> {
    for (const end = performance.now() + limit; this.#queued > 0 && performance.now() < end;) {
      await sleep(MIN_PAUSE)
      this.#flush()
    }
  }

  #flush(): void {
    clearTimeout(this.#timer)
    const before = this.#queued
    try {
      while (this.#queue.length > 0) this.#remove(this.#writeSome())
    } catch (error) {
      this.#reason = (error as NodeJS.ErrnoException).code ?? ''
      this.#pause = this.#queued < before ? MIN_PAUSE : Math.min(2 * this.#pause, MAX_PAUSE)
      this.#timer = setTimeout(() => this.#flush(), this.#pause).unref()
      return
    }
    this.#pause = MIN_PAUSE
    const count = this.#drops
    this.#drops = 0
    if (count > 0) this.#dropped(count, this.#reason)
  }

  /** @returns the number of bytes written. @throws Error with `code` */
  #writeSome(): number {
    const bytes = writevSync(this.#fd, this.#queue.slice(0, MAX_PIECES))
    if (bytes === 0) throw Object.assign(new Error('nothing was written'), { code: 'EAGAIN' })
    return bytes
  }

  #remove(bytes: number): void {
    this.#queued -= bytes
    while (bytes > 0 && bytes >= this.#queue[0].length) bytes -= this.#queue.shift()!.length
    if (bytes > 0) this.#queue[0] = this.#queue[0].subarray(bytes)
  }
}

/**
 * Opens a pipe or a terminal again, by way of /proc, to set O_NONBLOCK for this process only. The flag belongs to the open file
 * description, which other processes may share. Opening makes a new description.
 * @returns a descriptor that writes without waiting; `fd` itself if it is a regular file or cannot be opened again. Writing to `fd` itself
 *   may wait only if it is not a regular file and Node cannot make it non-blocking
 */
function openWithoutWaiting(fd: 1 | 2): number {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
  try {
    if (fstatSync(fd).isFile()) return fd
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // A socket cannot be opened this way (ENXIO), nor a pipe without permission (EACCES). Node makes these descriptors non-blocking, and
    // restores their mode when it exits.
    try {
      new Socket({ fd, readable: false, writable: true }).unref()
    } catch {
      // The descriptor has yet another type, or is closed.
    }
    return fd
  }
}
