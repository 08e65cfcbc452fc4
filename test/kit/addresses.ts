/** Addresses and configuration of the story: one /64 on both sides of the proxy. */
export const ROUTER = '2001:db8::1'
export const PROXY = '2001:db8::ff'
/** Of the server, beyond the router. */
export const SERVER = '2001:db8:ffff::2'

/** The five lines of the manual. */
export const CONFIG = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
}`

/** @returns the address of VM `n` */
export function vmAddress(n: number): string { return `2001:db8::${n.toString(16)}` }

/** @returns the numbers from `first` to `last` */
export function numbers(first: number, last: number): number[] { return Array.from({ length: last - first + 1 }, (_, i) => first + i) }

/** Milliseconds that a datagram may take, address resolution included. */
export const PATIENCE = 20_000
