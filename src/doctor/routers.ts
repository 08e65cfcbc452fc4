/** Checks of the other ends of links: default gateways, silent upstreams and silent tunnels. */
import { randomInt } from 'node:crypto'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { Address } from '../address.ts'
import { Discovery } from '../linux/echo-discovery.ts'
import type { LinkDetails } from '../wire/link-details.ts'
import { hasNotFailed } from '../wire/rtneighbor.ts'
import { type Check, configured, type Configured, type Finding, type Result, word } from './check.ts'
import { dropsDiscovery } from './firewall.ts'
import type { Machine } from './machine.ts'
import { isNamed, upstreamsOf } from './roles.ts'

/** Milliseconds for routers to reply. */
const REPLY_TIME = 1000

/** The upstreams of subnets, and those links of `proxy` blocks that have a default route. */
function routerLinks({ config, machine }: Configured): string[] {
  const defaults = machine.defaultRoutes.map(({ ifindex }) => machine.nameOf(ifindex))
  return [...new Set([...upstreamsOf(config), ...config.proxies.map(({ iface }) => iface).filter((iface) => defaults.includes(iface))])]
}

function twoRouters(subject: Configured): Finding[] {
  const { machine } = subject
  return routerLinks(subject).flatMap((link) => {
    const ifindex = machine.link(link)?.ifindex
    const routers = new Set(machine.defaultRoutes.filter((route) => route.ifindex === ifindex).flatMap(({ address }) => address?.toString() ?? []))
    if (routers.size < 2) return []
    const macs = new Map(machine.neighbors.filter((entry) => entry.ifindex === ifindex).map(({ address, lladdr }) => [address.toString(), lladdr]))
    const [first, ...others] = routers
    // A router may have two addresses, such as a configured next hop and the source of its Router Advertisements.
    const isSame = (other: string): boolean => macs.get(other) !== undefined && macs.get(other) === macs.get(first)
    return others.filter((other) => !isSame(other)).map((other) => ({
      what: `${link} has two default gateways, ${first} and ${other}`,
      why: 'packets leave by one router and return by the other; if one of them does not belong there, its Router Advertisements take the '
        + 'traffic away (accept_ra of the link decides whether they count)',
      mend: `ip -6 route del default via ${other} dev ${word(link)}`, link, target: other,
    }))
  })
}

/**
 * @param isRouter true if the default route of this machine is on another link. Then only routers and pinned hosts count
 * @returns whether the daemon or the kernel received something from a neighbor on the link
 */
function wasHeard({ machine, daemon, neighbors }: Configured, link: string, ifindex: number, isRouter: boolean): boolean {
  if (!isRouter && (daemon?.received[link] ?? 0) > 0) return true
  for (const { iface, lladdr, pinned } of neighbors) if (pinned && iface === link && lladdr !== undefined) return true
  return machine.neighbors.some((entry) => entry.ifindex === ifindex && entry.lladdr !== undefined && !entry.address.isMulticast
    && hasNotFailed(entry.state) && (entry.router || !isRouter))
}

/** Sends an Echo Request to all routers of a link. @returns whether another machine replied. @throws OsError */
async function replies(machine: Machine, { ifindex, mac }: LinkDetails, source: Address): Promise<boolean> {
  let discovery: Discovery | undefined
  const reply = new Promise<boolean>((resolve, reject) => {
    // Ignores replies of this machine itself: they come if another of its links leads to the same network.
    const echo = (address: Address): void => { if (machine.addresses.every((own) => !own.address.equals(address))) resolve(true) }
    discovery = new Discovery({ ifindex, mac }, randomInt(2 ** 16), { echo, failed: reject })
    discovery.discover([source], Address.allRouters)
  })
  try {
    // Replies that came while this process was busy are read before setImmediate resolves.
    return await Promise.race([reply, setTimeout(REPLY_TIME).then(() => setImmediate(false))])
  } finally {
    discovery?.close()
  }
}

async function silentUpstream(subject: Configured, link: string): Promise<Result> {
  const { machine } = subject
  const details = machine.link(link)
  const isDefault = machine.defaultRoutes.some(({ ifindex }) => ifindex === details?.ifindex)
  const elsewhere = isDefault ? undefined : machine.defaultRoutes.map(({ ifindex }) => machine.nameOf(ifindex))[0]
  const line = elsewhere === undefined ? undefined : { mend: `upstream ${elsewhere}`, isLine: true }
  const why = 'no router solicits there, so nothing is answered'
  const hint = line === undefined ? '' : `; the default route of this machine is on ${elsewhere}`
  if (details === undefined) {
    return [{ what: `the upstream ${link} does not exist${hint}`, why, link, ...line ?? { mend: `ip link show dev ${word(link)}` } }]
  }
  if (details.master !== undefined) return [] // reported by the check `bridge-port`
  if (!details.isEnabled) return [{ what: `the upstream ${link} is down`, why, mend: `ip link set dev ${word(link)} up`, link }]
  if (details.up) {
    if (wasHeard(subject, link, details.ifindex, line !== undefined)) return []
    const own = machine.addresses.filter(({ ifindex, tentative }) => ifindex === details.ifindex && !tentative)
    const source = own.find(({ address }) => address.isLinkLocal) ?? own[0]
    if (source === undefined) return { unknown: `${link} has no usable address yet`, how: 'ndp6d doctor --only silent-upstream' }
    if (await replies(machine, details, source.address)) return []
    if (await dropsDiscovery(subject)) {
      return { unknown: 'a firewall drops Neighbor Discovery, so no router can reply', how: 'ndp6d doctor --only firewall-nd' }
    }
  }
  return [{
    what: details.up ? `no router was heard on the upstream ${link}${hint}` : `the upstream ${link} has no carrier${hint}`, link,
    why: line === undefined ? `${why}; look at the cable, the VLAN and the switch until a router replies` : why,
    ...line ?? { mend: `ping -6 -L -c 3 -I ${word(link)} ${Address.allRouters}` },
  }]
}

export const routerChecks: readonly Check[] = [
  configured({ code: 'two-routers', severity: 'warning', title: 'each upstream has one default gateway', isCheap: true }, twoRouters),
  configured({ code: 'silent-upstream', severity: 'error', title: 'a router is heard on each upstream' },
    async (subject) => {
      const results = await Promise.all(routerLinks(subject).map((link) => silentUpstream(subject, link)))
      const findings = results.flatMap((result) => 'unknown' in result ? [] : result)
      return findings.length > 0 ? findings : results.find((result) => 'unknown' in result) ?? []
    }),
  { ...configured({ code: 'silent-tunnel', severity: 'warning', title: 'hosts behind tunnels answer', isCheap: true, isLogged: true },
    ({ config, daemon }) => daemon!.silent.map(({ link, target }) => ({
      what: `no host on ${link} answers: ${target} was probed without a reply`,
      why: 'the other end of a tunnel may answer no solicitations, so the hosts there are never found; configure each of their addresses',
      mend: config.subnets.some(({ downstream }) => isNamed(downstream, link)) ? `host ${target} ${link}` : `rule ${target}/128 { static }`,
      isLine: true, link, target,
    }))), needs: 'daemon' },
]
