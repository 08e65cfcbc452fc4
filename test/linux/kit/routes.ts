/** Lookups and changes of routes, by the text of the address. */
import type { Lookup, RouteChange } from '../../../src/engine-types.ts'
import type { Rtnetlink } from '../../../src/linux/rtnetlink.ts'
import { ip } from '../../kit/frames.ts'

export function to(target: string): Lookup { return { target: ip(target), from: 0, source: undefined } }
export function add(target: string, ifindex: number): RouteChange { return { op: 'add', route: { target: ip(target), ifindex } } }
export function del(target: string, ifindex: number): RouteChange { return { op: 'delete', route: { target: ip(target), ifindex } } }
/** @returns the ifindex of a link */
export function indexOf(kernel: Rtnetlink, name: string): number { return kernel.links().find((link) => link.name === name)!.ifindex }
