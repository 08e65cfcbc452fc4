/** Withdraws the default route and the prefixes that hosts have from the Router Advertisements of a daemon that no longer runs. */
import { Address, type Mac } from '../address.ts'
import type { SavedAdvertising } from '../engine-types.ts'
import { multicastMac } from '../wire/frame.ts'
import { deprecated } from '../wire/router-messages.ts'
import { type OsError, verdict } from './errors.ts'
import { PacketSocket } from './packet-socket.ts'
import type { Rtnetlink } from './rtnetlink.ts'

const IGNORE = { packets: () => {}, invalid: () => {}, query: () => {} }

/**
 * Sends one Router Advertisement on each link, with a router lifetime of 0 and deprecated prefixes. Leaves out links that are gone, down, or
 * without a link-local address.
 * @returns the names of the links on which an advertisement was sent
 * @throws OsError
 */
export function withdraw({ links: names, prefixes }: SavedAdvertising, kernel: Rtnetlink): string[] {
  const addresses = kernel.addresses()
  const links = kernel.links().filter(({ up, name }) => up && names.includes(name))
  return links.flatMap(({ ifindex, name, mac, mtu }) => {
    const own = addresses.find((each) => each.ifindex === ifindex && each.address.isLinkLocal && !each.tentative)
    if (own === undefined) return []
    let failure: Error | undefined
    const socket = new PacketSocket({ ifindex, mac, promiscuous: false, ring: false }, { ...IGNORE, failed: (error) => { failure = error } })
    try {
      socket.advertiseRouter({
        source: own.address, destination: Address.allNodes, to: mac === undefined ? -1 as Mac : multicastMac(Address.allNodes.w3) as Mac,
        lifetime: 0, mtu, dns: [],
        prefixes: prefixes.filter(({ iface }) => iface === name).map(({ prefix, left }) => deprecated(prefix, left)),
      })
    } finally {
      socket.close()
    }
    if (failure !== undefined && verdict(failure) === 'fatal') throw failure as OsError
    return socket.counters.sent > 0 ? [name] : []
  })
}
