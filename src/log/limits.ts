/** The log's sentences about limits: what is refused, how many, and how to raise the limit where that is possible. */
import { formatMac } from '../address.ts'
import type { Event } from '../engine/types.ts'
import { grouped } from './sentences.ts'
import type { LinkNames } from './sentences.ts'

type LimitEvent = Extract<Event, { kind: 'limit' }>

/**
 * @param refused refusals, where the event counts them
 * @param seconds time in which they happened, unless this is the first report
 */
export function limitSentence({ limit, size, ifindex, mac }: LimitEvent, names: LinkNames, refused?: number, seconds?: number): string {
  const link = ifindex === undefined ? undefined : names(ifindex)
  const many = grouped(size)
  switch (limit) {
    case 'neighbors':
      return link === undefined ? `all ${many} entries for learned addresses are used: new hosts are not served; raise \`limit\``
        : `${link} uses its share of ${many} learned addresses, the rest is for other links: its new hosts are not served; raise \`limit\``
    case 'host':
      return `${mac === undefined ? 'one host' : formatMac(mac)} has ${many} addresses, or probes on its account, as many as one host may: `
        + 'further ones are refused; raise `host-limit` if this host is to have more'
    case 'targets':
      return `${many} targets are being probed or have no owner, as many as there may be (a scan?): further unknown targets are not `
        + 'probed; known hosts are not affected'
    case 'solicitors': return `${many} solicitors wait for one target, as many as may: further ones have to solicit again`
    case 'probes': return probesSentence(many, link, mac, refused, seconds)
    case 'queue':
      return `${many} targets wait for their first probe, as many as may (a scan?): further unknown targets are not probed; `
        + 'known hosts are not affected'
    case 'tentative': return `${many} addresses${on(link)} are in DAD, as many as there may be: further ones are learned when they are used`
    case 'lookups': return `${many} targets wait for a route lookup, as many as may: further ones have to be solicited again`
    case 'announcements':
      return `${many} announcements wait to be sent, as many as may: the routers learn further hosts by solicitations only`
    case 'groups':
      return `hosts${on(link)} reported ${many} multicast groups, as many as \`snooping mirror\` may join `
        + `(\`ndp6d status\`: groups reported by hosts${link === undefined ? '' : ' of one link, at most'}): further ones are not joined`
    case 'gone-hosts': return `${many} hosts of links that are gone are remembered, as many as may be: the oldest are forgotten`
    case 'gone-links': return `${many} links that are gone are remembered with their hosts, as many as may be: the oldest are forgotten`
    case 'links': return `${many} links are received from, as many as may be: ${link ?? 'a further one'} is not served`
    case 'prefixes': return `${link ?? 'an upstream'} has more than ${many} on-link prefixes: \`subnet auto\` does not serve the others`
    case 'routes': return `${many} route changes wait for the kernel, as many as may: all routes are compared again`
    case 'kernel':
      return `the kernel's neighbor table or a bridge has more than ${many} entries: the others are not used to find hosts`
  }
}

function on(link: string | undefined): string { return link === undefined ? '' : ` on ${link}` }

function probesSentence(rate: string, link: string | undefined, mac: LimitEvent['mac'], refused = 0, seconds?: number): string {
  const what = mac === undefined ? 'many addresses that no host has are solicited'
    : `${formatMac(mac)} solicits for many addresses that no host has`
  return `${what} (a scan?): ${grouped(refused)} not probed${on(link)}${seconds === undefined ? '' : ` in ${seconds} s`}, `
    + `as \`probe-limit\` is ${rate} per second; known hosts are not affected`
}
