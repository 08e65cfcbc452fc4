/** Checks that this machine forwards, and that it keeps its default route although it forwards. */
import { RTPROT_RA } from '../wire/rtroute.ts'
import { type Check, configured, type Configured, word } from './check.ts'
import type { Machine } from './machine.ts'
import { isNamed, linksOf, upstreamsOf } from './roles.ts'

const KEEP = 'forwarding yes'

function forwards({ config, machine }: Configured): boolean {
  if (machine.setting('net/ipv6/conf/all/forwarding') !== 0) return true
  // Since Linux 6.17, a link with force_forwarding forwards even if forwarding of `all` is off.
  const links = linksOf(config, machine)
  return links.length > 0 && links.every(({ name }) => machine.setting(`net/ipv6/conf/${name}/force_forwarding`) === 1)
}

/**
 * Finds links that need Router Advertisements, but ignore them while forwarding is on, because accept_ra is 1. Links with a default route
 * from Router Advertisements need them. If this machine has no default route (`hasRoute` is false), all upstreams that are up need them.
 */
function deafLinks({ config, machine }: Configured): { name: string; hasRoute: boolean }[] {
  const { defaultRoutes: routes } = machine
  const byRouter = new Set(routes.filter(({ protocol }) => protocol === RTPROT_RA).map(({ ifindex }) => machine.nameOf(ifindex)))
  const names = routes.length === 0 ? upstreamsOf(config).filter((name) => machine.link(name)?.up) : [...byRouter]
  return names.filter((name) => machine.setting(`net/ipv6/conf/${name}/accept_ra`) === 1).map((name) => ({ name, hasRoute: routes.length > 0 }))
}

/** An assignment for sysctl(8). Slashes separate the parts, because names of links may contain dots. */
function assign(link: string, setting: string, value: number): string { return word(`net/ipv6/conf/${link}/${setting}=${value}`) }

const isRouter = (machine: Machine, name: string): boolean => machine.setting(`net/ipv6/conf/${name}/forwarding`) === 1

/** @returns links where this machine sends Router Advertisements, but its Neighbor Advertisements lack the router flag (forwarding is 0) */
function hostLinks({ config: { subnets }, machine }: Configured): string[] {
  const advertising = subnets.filter(({ settings }) => settings.routerAdvertisements)
  return machine.links.filter(({ name }) => advertising.some(({ upstream, downstream }) => name !== upstream && isNamed(downstream, name)))
    .map(({ name }) => name).filter((name) => machine.setting(`net/ipv6/conf/${name}/forwarding`) === 0)
}

export const forwardingChecks: readonly Check[] = [
  configured({ code: 'forwarding-off', severity: 'error', title: 'this machine forwards IPv6', isCheap: true, isLogged: true },
    (subject) => forwards(subject) ? [] : [{
      what: 'this machine does not forward IPv6 (net.ipv6.conf.all.forwarding is 0)',
      why: 'packets for all answered addresses come here and are dropped',
      mend: `sysctl -w ${[...deafLinks(subject).map(({ name }) => assign(name, 'accept_ra', 2)), 'net.ipv6.conf.all.forwarding=1'].join(' ')}`,
      keep: KEEP,
    }]),
  configured({ code: 'accept-ra', severity: 'error', title: 'Router Advertisements keep the default route', isCheap: true },
    (subject) => deafLinks(subject).filter(({ name }) => isRouter(subject.machine, name)).map(({ name, hasRoute }) => ({
      what: hasRoute ? `${name} has its default route by Router Advertisements, but ignores them: it forwards, and its accept_ra is 1`
        : `there is no default route, and ${name} ignores Router Advertisements: it forwards, and its accept_ra is 1`,
      why: hasRoute ? 'the route ends with the lifetime of the last advertisement, and this machine and its hosts are cut off then'
        : 'the kernel removed a route that such advertisements made; this machine and its hosts are cut off',
      mend: `sysctl -w ${assign(name, 'accept_ra', 2)}`, keep: KEEP, link: name,
    }))),
  configured({ code: 'router-flag', severity: 'error', title: 'this machine forwards on links where it sends Router Advertisements', isCheap: true },
    (subject) => (forwards(subject) ? hostLinks(subject) : []).map((name) => ({
      what: `${name} acts as a host although this machine forwards: net.ipv6.conf.${name}.forwarding is 0`,
      why: 'neighbor advertisements of this machine have no router flag there, so hosts remove their default route (RFC 4861 7.2.5)',
      mend: `sysctl -w ${assign(name, 'forwarding', 1)}`, link: name,
    }))),
]
