/** What the kernel knows of one address, for `ndp6d explain`. */
import { type Address, formatMac, Prefix } from '../address.ts'
import type { Link } from '../engine-types.ts'
import * as rtneighbor from '../wire/rtneighbor.ts'
import { unlessBusy } from './errors.ts'
import type { Rtnetlink } from './rtnetlink.ts'
import { readSetting } from './sysctl.ts'

/** Names of RTN_* (linux/rtnetlink.h), by number. */
const ROUTE_TYPES = ['unspec', 'unicast', 'local', 'broadcast', 'anycast', 'multicast', 'blackhole', 'unreachable', 'prohibit', 'throw']

export interface KernelRoute {
  readonly prefix: string
  readonly type: string
  readonly iface: string | undefined
  readonly via: string | undefined
  readonly protocol: number
  readonly metric: number | undefined
  readonly table: number
}

export interface KernelView {
  /** The route of a packet that comes in on link `from`; undefined: there is no route. */
  readonly route: KernelRoute | undefined
  /** Name of the link that the packet comes in on; undefined: this machine sends the packet. */
  readonly from: string | undefined
  readonly neighbors: readonly { readonly iface: string; readonly state: string; readonly lladdr: string | undefined }[]
  /** Proxy entries of the kernel. `isUsed`: the settings let the kernel answer solicitations for the entry. */
  readonly proxies: readonly { readonly iface: string; readonly isUsed: boolean }[]
}

/** @param from the ifindex of the link that a packet comes in on; 0: this machine sends it. @returns undefined while the kernel is busy */
export function viewOf(kernel: Rtnetlink, target: Address, from: number, links: readonly Link[]): KernelView | undefined {
  const nameOf = (ifindex: number | undefined): string | undefined => links.find((link) => link.ifindex === ifindex)?.name
  return unlessBusy(() => {
    const route = kernel.route({ target, from, source: undefined })
    const entries = kernel.entries(target, links.map(({ ifindex }) => ifindex))
      .flatMap(({ ifindex, ...entry }) => ({ ...entry, iface: nameOf(ifindex)! }))
    return {
      from: nameOf(from),
      route: route && {
        prefix: new Prefix(route.destination ?? target, route.length).toString(), type: ROUTE_TYPES[route.type] ?? String(route.type),
        iface: nameOf(route.ifindex), via: route.gateway?.toString(), protocol: route.protocol, metric: route.metric, table: route.table,
      },
      neighbors: entries.filter(({ proxy }) => !proxy)
        .map(({ iface, state, lladdr }) => ({ iface, state: rtneighbor.stateName(state), lladdr: lladdr === undefined ? undefined : formatMac(lladdr) })),
      proxies: entries.filter(({ proxy }) => proxy).map(({ iface }) => ({ iface, isUsed: answersByProxy(iface) })),
    }
  })
}

/** @returns whether the kernel answers for proxy entries of this link (ndisc_recv_ns of net/ipv6/ndisc.c) */
function answersByProxy(iface: string): boolean {
  const isSet = (name: string): boolean => (readSetting(name, 'proxy_ndp') ?? 0) !== 0
  return (readSetting(iface, 'forwarding') ?? 0) !== 0 && (isSet('all') || isSet(iface))
}
