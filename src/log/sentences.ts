/** The log's sentences about neighbors, links and packets. */
import { formatMac } from '../address.ts'
import type { Event, NeighborReason } from '../events.ts'

export type LinkNames = (ifindex: number) => string

type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>

/** Formats `29 971`. */
export function grouped(count: number): string { return String(count).replace(/\B(?=(?:\d{3})+$)/g, ' ') }

const REASONS: Readonly<Record<NeighborReason, string>> = {
  'solicited': 'it was solicited',
  'local traffic': 'this machine has packets for it',
  'evidence': 'a host seems to have it',
  'link back': 'its former link is back',
  'owner silent': 'another host claims it, and its owner does not answer',
  'ttl': 'it has not been seen for its `ttl`',
  'DAD': 'another host checks whether it is free (DAD)',
  'kernel': 'the kernel cannot reach it',
  'bridge': 'the bridge has no entry for this MAC address any more',
  'claimed': 'another host claims it',
  'link up': 'its link came up',
  'restart': 'it was known before the restart',
  'proof': 'it answered',
  'verified': 'it answered',
  'pinned': 'the configuration names its owner (`host`)',
  'no answer': 'no host answered a probe',
  'no route': 'the kernel has no route to it',
  'host-limit': 'its host has the maximum of addresses for one host (option `host-limit`)',
  'limit': 'the maximum of learned addresses is reached, in total or on its link (option `limit`)',
  'link gone': 'its link is gone',
  'configuration': 'the configuration excludes it',
  'deadtime': 'its `deadtime` is over',
}

/** @param link name of the owner's link, or of the owner's former link */
function why({ state, reason, news }: EventOf<'neighbor'>, link: string | undefined): string {
  if (reason === 'ttl' && state === 'PROBE') return 'its `ttl` ends'
  if (reason === 'no answer' && news) return 'it no longer answers'
  if (reason === 'link gone' && link !== undefined) return `its link ${link} is gone`
  return REASONS[reason]
}

/** @returns e.g. `2001:db8::4 moved from eth1 to eth9 (52:54:00:12:34:56)` */
export function neighborSentence(event: EventOf<'neighbor'>, names: LinkNames): string {
  const { target, state, ifindex, mac, former, news, reason } = event
  const [link, formerLink] = [ifindex, former].map((index) => index === undefined ? undefined : names(index))
  const lladdr = mac === undefined ? '' : ` (${formatMac(mac)})`
  const place = `${link === undefined ? '' : ` on ${link}`}${lladdr}`
  const because = why(event, formerLink ?? link)
  switch (state) {
    case 'INCOMPLETE': return `probing for ${target}: ${because}`
    case 'PROBE': return `verifying ${target}${place}: ${because}`
    case 'REACHABLE':
      if (news && formerLink !== undefined) return `${target} moved from ${formerLink} to ${link}${lladdr}`
      return news ? `found ${target}${place}` : `verified ${target}${place}: ${because}`
    case 'FAILED':
      if (!news) return `${reason === 'no answer' ? `no host found for ${target}` : `${target} is not served`}: ${because}`
      return `lost ${target}${formerLink === undefined ? '' : ` on ${formerLink}`}: ${because}`
    case 'GONE': return news ? `${target} is no longer served: ${because}` : `forgot ${target}: ${because}`
  }
}

const CONFLICTS: Readonly<Record<EventOf<'conflict'>['basis'], string>> = {
  answered: 'its owner still answers: ignored; two hosts may have the same address',
  pinned: 'the configuration names another owner (`host`): ignored',
  router: 'this is a router\'s address on the upstream: ignored',
}

export function conflictSentence({ target, ifindex, mac, basis }: EventOf<'conflict'>, names: LinkNames): string {
  return `${formatMac(mac)} claims ${target} on ${names(ifindex)}, but ${CONFLICTS[basis]}`
}

export function overrunSentence({ ifindex, count }: EventOf<'overrun'>, names: LinkNames): string {
  return `${names(ifindex)}: ${grouped(count)} received packets were dropped, because they came faster than ndp6d could read them: `
    + 'a flood, or too little CPU time (`CPUWeight=` of the unit); hosts will solicit again'
}

export function silentSentence({ ifindex, target }: EventOf<'silent'>, names: LinkNames): string {
  const iface = names(ifindex)
  return `${iface}: no host has answered a Neighbor Solicitation on this tunnel so far, the last ones were for ${target}: it is off, or the `
    + `other end answers none; then use \`rule PREFIX { static }\` in a \`proxy\` block, or \`host ADDRESS ${iface}\` in a \`subnet\` block`
}

export function snoopedSentence({ iface, minutes }: EventOf<'snooped'>): string {
  return `${iface}: hosts behind this machine have traffic, but no multicast solicitations have come in for ${minutes} minutes: `
    + 'a switch with MLD snooping may block these solicitations; `snooping mirror` or `snooping mrd` makes it pass them'
}

const MAX_LINKS = 10

/** @param present names of the links that exist */
export function missingLinkSentence(iface: string, present: readonly string[]): string {
  const here = present.filter((name) => name !== 'lo').sort()
  const more = here.length > MAX_LINKS ? ` and ${grouped(here.length - MAX_LINKS)} more` : ''
  return `${iface} does not exist; waiting for it (links here: ${here.slice(0, MAX_LINKS).join(', ') || 'none'}${more})`
}

/** @param counters packets by outcome */
export function countersSentence(counters: Readonly<Record<string, number>>): string {
  const counts = Object.entries(counters).filter(([, count]) => count > 0).map(([outcome, count]) => `${grouped(count)} ${outcome}`)
  return `counters since the start: ${counts.join(', ') || 'no packets'}`
}

const WRITE_ERRORS: Readonly<Record<string, string>> = {
  EAGAIN: 'its reader was too slow', ENOSPC: 'its disk was full', EDQUOT: 'the disk quota was used up',
}

/** @param output name of the output @param reason code of errno(3) */
export function droppedRecordsSentence(count: number, output: string, reason: string): string {
  const records = count === 1 ? '1 log record was' : `${grouped(count)} log records were`
  return `${records} dropped, because ${output} could not be written: ${WRITE_ERRORS[reason] ?? reason}`
}
