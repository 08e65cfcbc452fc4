/** The log's sentences about limits: what is refused, how many, and how to raise the limit where that is possible. */
import { formatMac } from '../address.ts'
import type { Event } from '../events.ts'
import { grouped, type Sum } from './rate-limited-log.ts'
import type { LinkNames } from './sentences.ts'

type LimitEvent = Extract<Event, { kind: 'limit' }>

/** @returns e.g. `all 4 096 entries for learned addresses are used: ...` */
export function limitSentence(event: LimitEvent, names: LinkNames): string {
  const { limit, size, ifindex, mac } = event
  const link = ifindex === undefined ? undefined : names(ifindex)
  const many = grouped(size)
  switch (limit) {
    case 'neighbors':
      return `${link === undefined ? `all ${many} entries for learned addresses are used`
        : `${link} has ${many} learned addresses, its share of the limit`}: each new host replaces one that has not been verified yet, or is `
        + 'not served; raise `limit`'
    case 'host':
      return `${mac === undefined ? 'one host' : formatMac(mac)} has ${many} addresses, or caused probes for ${many}, `
        + 'the maximum for one host: further addresses are refused; raise `host-limit` if this host is to have more'
    case 'targets':
      return `${many} targets (the maximum) are being probed or have no owner (a scan?): further unknown targets are not `
        + 'probed; known hosts are not affected'
    case 'solicitors': return `${many} solicitors (the maximum) wait for one target: further solicitors get no answer unless they solicit again`
    case 'probes': return scanSentence(event, names)
    case 'queue':
      return `${many} targets (the maximum) wait for their first probe (a scan?): further unknown targets are not probed; `
        + 'known hosts are not affected'
    case 'tentative': return `${many} addresses${on(link)} (the maximum) are in DAD: further addresses are learned when they are used`
    case 'next-hops': return `${many} next hops of routes (the maximum) are known: addresses behind further ones are not served`
    case 'lookups': return `${many} targets (the maximum) wait for a route lookup: further targets have to be solicited again`
    case 'announcements':
      return `${many} announcements (the maximum) wait to be sent: the routers learn further hosts by solicitations only`
    case 'groups':
      return `hosts${on(link)} reported ${many} multicast groups, the maximum that \`snooping mirror\` joins: `
        + 'further groups are not joined'
    case 'gone-hosts': return `links that are gone had more than ${many} hosts: some are not looked for when their link comes back`
    case 'gone-links': return `more than ${many} links with hosts are gone: those of some are not looked for when the link comes back`
    case 'links': return `ndp6d receives from ${many} links (the maximum): ${link ?? 'a further link'} is not served`
    case 'prefixes': return `${link ?? 'an upstream'} has more than ${many} on-link prefixes: \`subnet auto\` does not serve the others`
    case 'routes': return `${many} route changes (the maximum) wait for the kernel: all routes are compared again`
    case 'kernel':
      return `the kernel's neighbor table or a bridge has more than ${many} entries: the others are not used to find hosts`
  }
}

function on(link: string | undefined): string { return link === undefined ? '' : ` on ${link}` }

/** @param sum the refusals since the last record; undefined for the first record */
export function scanSentence({ size, ifindex, mac, refused = 0 }: LimitEvent, names: LinkNames, sum?: Sum): string {
  const what = mac === undefined ? 'solicitations come for many addresses that no host has'
    : `${formatMac(mac)} solicits for many addresses that no host has`
  const count = sum?.count ?? refused
  const many = count === 1 && sum === undefined ? 'some of them are' : `${grouped(count)} of them ${count === 1 ? 'was' : 'were'}`
  return `${what} (a scan?): ${many} not probed`
    + `${on(ifindex === undefined ? undefined : names(ifindex))}${sum === undefined ? '' : ` in ${grouped(sum.seconds)} s`}, because `
    + `\`probe-limit\` is ${grouped(size)} per second; known hosts are not affected`
}
