/** Turns what the sockets of one link receive into inputs of the engine. */
import type { Input, Link } from './engine-types.ts'
import { isOutOfDescriptors, verdict } from './linux/errors.ts'
import type { LinkReader } from './linux/link-sockets.ts'
import type { LinkErrorLog } from './log/link-errors.ts'

export interface LinkReaderParts {
  step(input: Input): void
  /** The kernel dropped received packets of the link. */
  dropped(ifindex: number, count: number): void
  /** Called for an invalid frame, whose bytes are valid only during the call. */
  invalid: LinkReader['invalid']
  readonly errors: LinkErrorLog
}

export function linkReader({ ifindex, name }: Link, { step, dropped, invalid, errors }: LinkReaderParts): LinkReader {
  return {
    packets: (batch) => step({ kind: 'packets', ifindex, batch }),
    invalid,
    echo: (source, mac) => step({ kind: 'echo', ifindex, source, mac }),
    report: (joined, left) => step({ kind: 'report', ifindex, joined, left }),
    query: (query) => step({ kind: 'query', ifindex, query }),
    routerSolicitation: () => step({ kind: 'router-solicitation', ifindex }),
    routerMessage: (message) => step({ kind: 'router-message', ifindex, message }),
    // Lets the engine report all groups (MLD) again: reports from before the sockets were open did not reach the switches on the link.
    opened: () => {
      errors.opened(name)
      step({ kind: 'link-replugged', ifindex })
    },
    dropped: (count) => dropped(ifindex, count),
    failed: (error) => errors.failed(name, error, verdict(error) !== 'fatal' && !isOutOfDescriptors(error)),
  }
}
