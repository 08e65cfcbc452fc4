/**
 * The meaning of each state and counter, for `ndp6d status` and its manual. A meaning is so short that it fits into 80 columns beside its
 * word and number.
 */
import type { NeighborState, Outcome } from '../events.ts'

/** What a counter counts. */
export type CounterKind = 'good' | 'unanswered' | 'invalid'

/** States of the daemon. */
export const DAEMON_STATES = {
  starting: 'its links are not all served yet',
  serving: 'answers solicitations',
  reloading: 'reads its configuration again',
  stopping: 'saves its hosts and, unless it is restarted, removes its routes',
} as const satisfies Readonly<Record<string, string>>
export type DaemonState = keyof typeof DAEMON_STATES

/** States of links. */
export const LINK_STATES = {
  serving: 'receives solicitations',
  down: 'no carrier, or set down',
  waiting: 'configured, but no such link exists',
  port: 'a port of another link: configure that link',
  pending: 'not served while ndp6d starts or stops',
  failed: 'exists, but is not served',
} as const satisfies Readonly<Record<string, string>>
export type LinkState = keyof typeof LINK_STATES

/** States of targets (RFC 4861 7.3.2). */
export const NEIGHBOR_STATES: Readonly<Record<NeighborState, string>> = {
  INCOMPLETE: 'being probed, no owner is known yet',
  REACHABLE: 'pinned, or verified within `ttl`',
  PROBE: 'being verified again, answers continue',
  FAILED: 'no host replied, not probed again until `deadtime` is over',
}

/** Counters of packets. */
export const OUTCOMES: Readonly<Record<Outcome, readonly [kind: CounterKind, meaning: string]>> = {
  'answered': ['good', 'solicitations answered'],
  'defended': ['good', 'DAD for the address of a host, answered'],
  'probing': ['good', 'solicitations waiting for a probe or a route'],
  'proof': ['good', 'replies to probes'],
  'unsolicited': ['good', 'advertisements without a probe'],
  'proxied': ['good', 'advertisements of other proxies'],
  'repaired': ['good', 'entries of the kernel set back to their owner'],
  'conflict': ['unanswered', 'advertisements for an address of another host'],
  'link-local': ['unanswered', 'for a link-local target'],
  'anycast': ['unanswered', 'for an anycast address'],
  'excluded': ['unanswered', 'for an address of `exclude`'],
  'no-rule': ['unanswered', 'no rule of this link covers the target'],
  'own-address': ['unanswered', 'for this machine, whose kernel answers'],
  'same-link': ['unanswered', 'the host is on the link of the solicitor'],
  'no-candidate': ['unanswered', 'no other link is up where the host may be'],
  'unknown-host': ['unanswered', 'not a `host`, and `learn no`'],
  'failed': ['unanswered', 'no host replied a short while ago'],
  'dad-unproven': ['unanswered', 'DAD for an address without a proven owner'],
  'dad-own-mac': ['unanswered', 'DAD by the owner itself'],
  'foreign': ['unanswered', "the kernel's route leads to another link"],
  'no-source': ['unanswered', 'this link has no usable address yet'],
  'limit': ['unanswered', 'a table is full, or a budget is used up'],
  'own-frame': ['invalid', 'sent by this machine'],
  'vlan': ['invalid', 'tagged, so it belongs to the VLAN interface'],
  'other-host': ['invalid', 'to another MAC address'],
  'ethernet-source': ['invalid', 'from a multicast or zero MAC address'],
  'not-ipv6': ['invalid', 'not IPv6'],
  'not-ndisc': ['invalid', 'neither solicitation nor advertisement'],
  'extension-header': ['invalid', 'an extension header before ICMPv6'],
  'fragment': ['invalid', 'a Fragment header (RFC 6980)'],
  'truncated': ['invalid', 'shorter than its headers claim'],
  'length': ['invalid', 'shorter than 24 bytes'],
  'hop-limit': ['invalid', 'hop limit below 255: it came through a router'],
  'checksum': ['invalid', 'wrong checksum'],
  'code': ['invalid', 'ICMPv6 code other than 0'],
  'target-multicast': ['invalid', 'a multicast target'],
  'source': ['invalid', 'an impossible source address'],
  'dad-destination': ['invalid', 'DAD to another group than that of the target'],
  'na-multicast-solicited': ['invalid', 'a solicited advertisement by multicast'],
  'option-length': ['invalid', 'an option of length 0, or one too long'],
  'dad-slla': ['invalid', 'DAD with a link-layer address option'],
}
