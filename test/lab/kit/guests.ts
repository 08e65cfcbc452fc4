/** Guests with the settings that distributions ship, the routers that they listen to, and what these advertise. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Status } from '../../../src/replies/status.ts'
import { type ReadAdvertisement, readAdvertisement, type ReadPrefix } from '../../kit/read-advertisement.ts'
import { until } from '../../kit/until.ts'
import { type Daemon, MAIN } from './daemon.ts'
import type { Bridge, CapturedFrame, Host, Lab } from './lab.ts'
import type { Proc } from './process.ts'
import type { Scene } from './scene.ts'

export const HOSTER = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
  router-advertisements yes
  dns 2001:db8:ffff::2
  search example.net
}`
export const HOME = 'subnet auto {\n  upstream eth0\n  downstream eth1\n  router-advertisements yes\n}'

/** Adds a host with the defaults of Linux: DAD, solicitations of routers, SLAAC. */
export async function addGuest({ lab, inside }: Scene, n: number, bridge: Bridge = inside): Promise<Host> {
  const guest = await lab.host(`guest${n}`, { dad: true })
  guest.sysctl({ 'conf/default/router_solicitations': -1, 'conf/default/accept_ra': 1 })
  lab.link(guest, 'eth0', bridge, `guest${n}`)
  return guest
}

export interface Shown { readonly local: string; readonly dynamic?: boolean; readonly tentative?: boolean; readonly deprecated?: boolean }

/** @returns the addresses by SLAAC that are usable */
export function addresses(guest: Host): Shown[] {
  return guest.show<{ addr_info: Shown[] }>('addr show dev eth0').flatMap(({ addr_info }) => addr_info)
    .filter(({ dynamic, tentative }) => dynamic === true && tentative !== true)
}

export function hasDefaultRoute(guest: Host): boolean { return guest.show('route show default').length > 0 }

/** Waits for the guest's address in the prefix, and its route. @returns the address */
export async function ready(guest: Host, prefix = '2001:db8:'): Promise<string> {
  return until(() => hasDefaultRoute(guest) ? addresses(guest).find(({ local }) => local.startsWith(prefix))?.local : undefined)
}

/** @returns what `ndp6d status` says about the advertisements */
export function advertised(stage: Scene, daemon: Daemon): Status['advertising'] { return statusOf(stage, daemon).advertising }

/** @returns what `ndp6d status --json` prints */
export function statusOf({ proxy }: Scene, { configFile }: Daemon): Status {
  return JSON.parse(proxy.exec('env', `RUNTIME_DIRECTORY=${dirname(configFile)}`, process.execPath, MAIN, 'status', '--json')) as Status
}

/** radvd(8) on a link of a host. */
export class Radvd {
  readonly #file: string
  readonly #iface: string
  readonly #proc: Proc

  /** Starts it. @param options of radvd.conf(5), for the interface */
  constructor(lab: Lab, host: Host, options: string, iface = 'eth0') {
    this.#file = join(lab.directory, `radvd-${host.name}`)
    this.#iface = iface
    this.#write(options)
    this.#proc = host.spawn(['radvd', '-n', '-C', `${this.#file}.conf`, '-p', `${this.#file}.pid`])
  }

  /** Changes the options, and advertises them at once. */
  change(options: string): void {
    this.#write(options)
    this.#proc.child.kill('SIGHUP')
  }

  #write(options: string): void {
    writeFileSync(`${this.#file}.conf`,
      `interface ${this.#iface} { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; ${options} };\n`)
  }
}

/** radvd(8) on the router, as at home, in place of static addresses. Waits until the proxy has its default route. */
export async function atHome({ lab, router, proxy }: Scene, options: string): Promise<Radvd> {
  proxy.ip('addr flush dev eth0 scope global', 'route flush default')
  proxy.sysctl({ 'conf/eth0/accept_ra': 2 })
  const radvd = new Radvd(lab, router, options)
  await until(() => proxy.show('route show default').length > 0)
  return radvd
}

/** CLOCK_MONOTONIC in milliseconds, as `at` of captured frames. */
export function clock(): number { return Number(process.hrtime.bigint() / 1000n) / 1000 }

/** Waits. @returns how long after `since`, milliseconds */
export async function elapsed(condition: () => unknown, since: number): Promise<number> {
  await until(condition, undefined, String(condition))
  return clock() - since
}

/** @returns milliseconds as text for a comment: `1.23 s` */
export function inSeconds(ms: number): string { return `${(ms / 1000).toFixed(2)} s` }

/** @returns the Router Advertisement in a frame */
export function advertisementIn({ hex }: CapturedFrame): ReadAdvertisement { return readAdvertisement(Buffer.from(hex, 'hex')) }

export function prefixIn({ prefixes }: ReadAdvertisement, prefix: string): ReadPrefix | undefined {
  return prefixes.find((each) => each.prefix === prefix)
}

/** @returns the first advertisement of the proxy after this time that fits */
export function firstAdvertisement(frames: readonly CapturedFrame[], after: number, fits: (read: ReadAdvertisement) => boolean,
): CapturedFrame | undefined {
  return frames.find((frame) => frame.kind === 'RA' && frame.outgoing && frame.at >= after && fits(advertisementIn(frame)))
}

/** @returns the least time between two multicast advertisements of the proxy, milliseconds; a busy machine records some too late */
export function leastPause(frames: readonly CapturedFrame[]): number {
  const times = frames.filter(({ kind, outgoing, destination }) => kind === 'RA' && outgoing && destination === 'ff02::1').map(({ at }) => at)
  return Math.min(...times.slice(1).map((at, i) => at - times[i]))
}
