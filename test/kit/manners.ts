/** Checks of what a proxy may send, on the frames of one of its links (RFC 4861 7.2, RFC 4389 4.1). */
import type { Test } from 'tap'
import { PATIENCE } from './addresses.ts'
import type { ReadFrame } from './read-frame.ts'

export interface Seen extends ReadFrame {
  /** Milliseconds; comparable between the links of one network. */
  readonly at: number
  /** Sent by the proxy. */
  readonly outgoing: boolean
}

/** @returns the frames of one kind, perhaps for one target */
export function framesOf<F extends ReadFrame>(frames: readonly F[], kind: F['kind'], target?: string): F[] {
  return frames.filter((frame) => frame.kind === kind && (target === undefined || frame.target === target))
}

/**
 * @param own addresses of the proxy on that link: the kernel answers for them
 * @param ours all addresses of the proxy: errors from other hosts are rightly forwarded
 * @param moved targets that may be announced with Override, since their owner moved
 * @returns violations, in words
 */
export function offences(
  frames: readonly Seen[], own: readonly string[], ours: readonly string[], moved: readonly string[] = []): string[] {
  const list: string[] = []
  const solicited = new Map<string, number>()
  const answered = new Map<string, number>()
  for (const frame of frames) {
    const { kind, outgoing, target, flags, source, destination } = frame
    if (kind === 'NS' && !outgoing) solicited.set(target, (solicited.get(target) ?? 0) + 1)
    if (!outgoing) continue
    if (kind === 'error' && ours.includes(source)) list.push(`ICMPv6 error to ${destination}`)
    if ((kind === 'NS' || kind === 'NA') && frame.hopLimit !== 255) list.push(`${describe(frame)} forwarded`)
    if (kind !== 'NA' || isAnnouncement(frame, ours)) continue
    const isReplacement = flags.includes('O') && destination === 'ff02::1'      // RFC 4861 7.2.6
    if (flags.includes('O') && !own.includes(target) && !(isReplacement && moved.includes(target))) {
      list.push(`${describe(frame)} with Override`)
    }
    if (isReplacement) continue
    answered.set(target, (answered.get(target) ?? 0) + 1)
    if (destination === '::') list.push(`${describe(frame)} to ::`)
    if (flags.includes('S') === (destination === 'ff02::1')) list.push(`${describe(frame)} with flags ${flags}`)
  }
  for (const [target, count] of answered) {
    const solicitations = solicited.get(target) ?? 0
    if (count > solicitations) list.push(`${count} NA for ${solicitations} NS of ${target}`)
  }
  return list
}

/** RFC 9131 6.1.2: to all routers. To all nodes: where the source of an echo discovery is. */
function isAnnouncement({ destination, flags, target }: Seen, ours: readonly string[]): boolean {
  return flags === 'R' && (destination === 'ff02::2' || (destination === 'ff02::1' && ours.includes(target)))
}

/**
 * Asserts that each of `solicitations` has an NA of its own. Waits for it: the last ones may be on their way, or in the buffer of the
 * capture. @param seen the frames so far @param wait sleeps for some milliseconds @param limit milliseconds from a solicitation to its NA
 */
export async function allAnswered(t: Test, seen: () => readonly Seen[], solicitations: readonly Seen[],
  wait: (ms: number) => Promise<unknown>, limit = Number.POSITIVE_INFINITY): Promise<void> {
  for (let waited = 0; waited < PATIENCE && unanswered(seen(), solicitations, limit).length > 0; waited += 100) await wait(100)
  t.same(unanswered(seen(), solicitations, limit), [], `an answer for each of ${solicitations.length} solicitations`)
}

/** @returns in words, those of `solicitations` that are left when each NA to a sender serves its oldest one */
function unanswered(frames: readonly Seen[], solicitations: readonly Seen[], limit: number): string[] {
  const judged = new Set(solicitations)
  const open: Seen[] = []
  for (const frame of frames) {
    if (judged.has(frame)) open.push(frame)
    if (frame.kind !== 'NA' || !frame.outgoing) continue
    const served = open.findIndex(({ at, target, from }) => target === frame.target && from === frame.to && frame.at - at < limit)
    if (served >= 0) open.splice(served, 1)
  }
  return open.map((ns) => `${describe(ns)} from ${ns.source} to ${ns.destination}`)
}

function describe({ kind, target }: Seen): string { return `${kind} for ${target}` }
