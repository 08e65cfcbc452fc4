/** The log's sentences about neighbors, links and packets. */
import { formatMac } from '../address.ts'
import { linksHere } from '../config/suggest.ts'
import type { ConflictBasis, Event, NeighborReason } from '../events.ts'
import { grouped } from './rate-limited-log.ts'

export type LinkNames = (ifindex: number) => string

type EventOf<K extends Event['kind']> = Extract<Event, { kind: K }>

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
  'new': 'it is one of many new addresses',
  'restart': 'it was known before the restart',
  'route': 'its route changed',
  'proof': 'it answered',
  'verified': 'it answered',
  'pinned': 'the configuration names its owner (`host`)',
  'next hop': 'its next hop answered',
  'no answer': 'no host answered a probe',
  'no address': 'this machine has no usable IPv6 address on the link, so no probe could be sent',
  'no route': 'the kernel has no route to it',
  'next hop silent': 'its next hop does not answer',
  'host-limit': 'its host has the maximum of addresses for one host (option `host-limit`)',
  'probe-limit': 'not all links could be probed (option `probe-limit`)',
  'limit': 'the maximum of learned addresses is reached, in total or on its link (option `limit`)',
  'link gone': 'its link is gone',
  'configuration': 'no rule covers it any more, or it is excluded',
  'deadtime': 'its `deadtime` is over',
  'gateway': 'a default gateway of this machine on another link has it',
}

/** @param link name of the owner's link, or of the owner's former link */
function why({ state, reason, news, via }: EventOf<'neighbor'>, link: string | undefined): string {
  if (reason === 'ttl' && state === 'PROBE') return 'its `ttl` ends'
  if (reason === 'next hop silent' && via !== undefined) return `its next hop ${via} does not answer`
  if (reason === 'no answer' && news) return 'it no longer answers'
  if (reason === 'link gone' && link !== undefined) return `its link ${link} is gone`
  return REASONS[reason]
}

/** @returns e.g. `2001:db8::4 moved from eth1 to eth9 (52:54:00:12:34:56)` */
export function neighborSentence(event: EventOf<'neighbor'>, names: LinkNames): string {
  const { target, state, ifindex, mac, former, news, reason, via, source } = event
  const [link, formerLink] = [ifindex, former].map((index) => index === undefined ? undefined : names(index))
  const lladdr = mac === undefined ? '' : ` (${formatMac(mac)})`
  const place = `${link === undefined ? '' : ` on ${link}`}${via === undefined || link === undefined ? '' : ` via ${via}`}${lladdr}`
  const because = why(event, formerLink ?? link)
  switch (state) {
    case 'INCOMPLETE': return `probing for ${target}: ${because}${source === undefined ? '' : ` by ${source}`}`
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

export function nextHopSentence({ ifindex, address, mac, state, news }: EventOf<'next-hop'>, names: LinkNames): string {
  const hop = `next hop ${address} on ${names(ifindex)}${mac === undefined ? '' : ` (${formatMac(mac)})`}`
  if (state === 'alive') return `found ${hop}: addresses behind it are answered for`
  return `${news ? `lost ${hop}: it no longer answers` : `no answer from ${hop}`}, so addresses behind it are not answered for`
}

const CONFLICTS: Readonly<Record<ConflictBasis, string>> = {
  answered: 'the owner of the address answered a probe, so the claim is ignored; two hosts may have the same address: give one of them another',
  pinned: 'the configuration names another owner (`host`), so the claim is ignored',
  gateway: 'it is the address of a default gateway on another link, so the claim is ignored',
}

export function conflictSentence({ target, ifindex, mac, basis, absent }: EventOf<'conflict'>, names: LinkNames): string {
  const objection = absent === undefined ? CONFLICTS[basis] : `the configuration pins it to ${absent} (\`host\`), which is down or does not `
    + 'exist, so the claim is ignored; if the host moved, change its `host` line'
  return `${formatMac(mac)} claims ${target} on ${names(ifindex)}, but ${objection}`
}

export function foreignSentence({ target, ifindex, mac, other }: EventOf<'foreign'>, names: LinkNames): string {
  const host = mac === undefined ? 'a host' : formatMac(mac)
  const route = other === undefined ? 'a route that discards packets for it' : `a route for it to ${names(other)}`
  return `${host} on ${names(ifindex)} uses ${target}, but the kernel has ${route}: solicitations for ${target} get no answer; `
    + 'remove the route, pin the address with a `host` line, or give the host another address'
}

export function proxySentence({ target, ifindex, mac }: EventOf<'proxy'>, names: LinkNames): string {
  return `another ND proxy is active on ${names(ifindex)}: ${formatMac(mac)} claims addresses of other hosts, such as ${target}: ignored`
}

export function overrunSentence({ ifindex, count }: EventOf<'overrun'>, names: LinkNames): string {
  return `${names(ifindex)}: ${grouped(count)} received packets were dropped, because they came faster than ndp6d could read them: `
    + 'a flood, or too little CPU time (`CPUWeight=` of the unit); hosts will solicit again'
}

export function silentSentence({ ifindex, target }: EventOf<'silent'>, names: LinkNames): string {
  const iface = names(ifindex)
  return `${iface}: no host has answered a Neighbor Solicitation on this tunnel so far (${target} was probed without a reply). The tunnel `
    + 'is off, or its other end answers no solicitations; in the latter case use `rule PREFIX { static }` in a `proxy` block, or '
    + `\`host ADDRESS ${iface}\` in a \`subnet\` block`
}

export function bareSentence({ ifindex, source }: EventOf<'bare'>, names: LinkNames): string {
  const iface = names(ifindex)
  return `${iface} has no IPv6 address, so ${source} is the source of messages on it: hosts may ignore them; give ${iface} a link-local address `
    + `(sysctl -w net/ipv6/conf/${iface}/addr_gen_mode=0)`
}

export function filteredSentence({ ifindex, target, mac }: EventOf<'filtered'>, names: LinkNames): string {
  return `the kernel gets no answer for ${target} on ${names(ifindex)}, although ${formatMac(mac)} replied to ndp6d: packets for ${target} `
    + 'are lost; check that the firewall (input chain) accepts ICMPv6 neighbor advertisements'
}

export function routerSentence({ ifindex, target, mac, lifetime, isForged }: EventOf<'router'>, names: LinkNames): string {
  const link = names(ifindex)
  const sender = mac === undefined ? '' : ` (${formatMac(mac)})`
  if (isForged) {
    return `${link}: a host${sender} sends Router Advertisements with this machine's address ${target}: `
      + 'this machine sends its own advertisement in reply; remove that host from the link'
  }
  const route = lifetime === 0 ? 'it offers no default route' : 'hosts may send to it instead of this machine'
  return `${link}: ${target}${sender} sends Router Advertisements, too: ${route}; stop one of the two, or write `
    + '`router-advertisements no`'
}

export function snoopedSentence({ iface, minutes }: EventOf<'snooped'>): string {
  return `${iface}: hosts behind this machine have traffic, but no multicast solicitations have come in for ${minutes} minutes: `
    + 'a switch with MLD snooping may block these solicitations; `snooping mirror` or `snooping mrd` makes it pass them'
}

export function enslavedSentence(iface: string, master: string): string {
  return `${iface} is a port of ${master}, which takes all packets of ${iface}: ${iface} is not served; configure ${master} instead`
}

export const ANSWERS_ONLY = 'CAP_NET_ADMIN is missing: solicitations are answered, but no host route, no nftables table and no forwarding is set; '
  + 'if that is not intended, remove the drop-in answers-only.conf of the unit'

const MAX_LINKS = 10

/** @param present the names of the links that exist */
export function missingLinkSentence(iface: string, present: readonly string[], wanted: readonly string[]): string {
  const here = present.filter((name) => name !== 'lo').sort()
  return `${iface} does not exist; waiting for it (${linksHere(iface, here, new Set(wanted), MAX_LINKS)})`
}

/** @param counters the numbers of packets by outcome */
export function countersSentence(counters: Readonly<Record<string, number>>): string {
  const counts = Object.entries(counters).filter(([, count]) => count > 0).map(([outcome, count]) => `${grouped(count)} ${outcome}`)
  return `counters since the start: ${counts.join(', ') || 'no packets'}`
}

const WRITE_ERRORS: Readonly<Record<string, string>> = {
  EAGAIN: 'its reader was too slow', ENOSPC: 'its disk was full', EDQUOT: 'the disk quota was used up',
}

/** @param output the name of the output. @param reason a code of errno(3). */
export function droppedRecordsSentence(count: number, output: string, reason: string): string {
  const records = count === 1 ? '1 log record was' : `${grouped(count)} log records were`
  return `${records} dropped, because ${output} could not be written: ${WRITE_ERRORS[reason] ?? reason}`
}
