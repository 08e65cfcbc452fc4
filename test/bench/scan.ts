/**
 * A scan of the whole /64 from the upstream side while known hosts are solicited at a steady rate: what it changes for those
 * hosts, and how many probes leave on the inside link. Each round has a newly started program: some do not recover.
 */
import type { Seen } from './inside-hosts.ts'
import type { Targets } from './solicitor.ts'
import { openFigures, solicit } from './steady.ts'
import type { Case, CaseText } from './testbed.ts'

interface Options extends CaseText {
  readonly rate: number
  readonly solicited: Targets
  /** Random addresses a second. */
  readonly scan: number
  /** Seconds of the scan, and of the same load without it. */
  readonly duration: number
  readonly calm: number
}

/** Seconds that a start and three loads take. */
const START = 4

export function scan(options: Options): Case {
  const { contenders, rate, solicited, scan, duration, calm } = options
  const load = { rate, solicited, seconds: calm }
  return {
    ...options,
    seconds: ({ rounds }) => rounds * contenders.length * (2 * calm + duration + START),
    measure: (testbed) => testbed.freshRounds(contenders, async (responder) => {
      // A program that learns from solicitations learns its hosts here.
      await solicit(testbed, responder, load)
      const before = await testbed.quietly(() => solicit(testbed, responder, load))
      const seenBefore = await responder.seen<Seen>()
      const measured = await solicit(testbed, responder, { ...load, scan, seconds: duration })
      const seen = await responder.seen<Seen>()
      return { ...openFigures(measured), calmP50: before.p50, calmP99: before.p99, scanned: measured.scanned,
        probes: (seen.unknown - seenBefore.unknown) / duration, cpu: 100 * measured.cpu / duration }
    }),
  }
}
