/** The reply to `ndp6d status`. */
import { Address, formatMac } from '../address.ts'
import type { Config } from '../config/config.ts'
import type { Part, Request } from '../control/protocol.ts'
import type { Introspection } from '../introspection.ts'
import type { Found } from '../doctor/watch.ts'
import type { NeighborSnapshot } from '../engine.ts'
import type { Limit, NeighborState, Outcome } from '../events.ts'
import type { KeptFrame } from '../metrics.ts'
import type { ReloadState } from '../reloads.ts'
import { type LinkStatus, linkStatuses } from './links.ts'
import type { DaemonState } from './meanings.ts'
import { inParts } from './parts.ts'

/** The most hosts in one part of the reply. */
const PART_SIZE = 128

/** The last packet of an outcome. */
interface LastPacket {
  readonly at: string
  readonly link: string | null
  /** Its link-layer source; null without a link header. */
  readonly lladdr: string | null
  readonly target: string | null
  /** The frame of an invalid packet; null for a valid packet. */
  readonly frame: LastFrame | null
}

/**
 * The first bytes of a frame, in hex. `length`: bytes of the whole frame. `wrongAt`: offset of the first byte that is wrong or missing;
 * null: there is no such byte, or it was not captured.
 */
interface LastFrame { readonly hex: string; readonly length: number; readonly wrongAt: number | null }

/** A target with an owner; with `--all`, also a target without an owner. Times are in the format of RFC 3339. */
export interface HostStatus {
  readonly address: string
  readonly state: NeighborState
  readonly link: string | null
  readonly mac: string | null
  /** The next hop, if the host is behind another router. */
  readonly via: string | null
  readonly pinned: boolean
  /** Whether the target has a host route. */
  readonly route: boolean
  /** When the target got its present owner. Without an owner: when the entry became INCOMPLETE or FAILED. */
  readonly since: string | null
  readonly provedAt: string | null
  readonly proof: NonNullable<NeighborSnapshot['proof']> | null
}

/** The Router Advertisements of one link. Lifetimes are seconds from now. */
export interface AdvertisingStatus {
  readonly link: string
  /** Source address of the advertisements. Null: no advertisement is sent, because the link has no usable link-local address. */
  readonly source: string | null
  /** When an advertisement was last sent to all nodes. */
  readonly lastAt: string | null
  /** Lifetime of the default route; 0: hosts get no default route. */
  readonly routerLifetime: number
  readonly mtu: number | null
  /** `preferred` is 0 if the prefix is deprecated. `autonomous`: hosts form addresses in the prefix (SLAAC, RFC 4862). */
  readonly prefixes: readonly { readonly prefix: string; readonly autonomous: boolean; readonly valid: number
    readonly preferred: number }[]
  readonly servers: readonly string[]
  readonly domains: readonly string[]
  /** Other routers that advertised themselves within the last hour. `forged`: the source was the address of this machine. */
  readonly otherRouters: readonly { readonly address: string; readonly mac: string | null; readonly lifetime: number
    readonly forged: boolean; readonly lastAt: string }[]
}

export interface ProxyRule {
  readonly prefix: string
  readonly kind: 'static' | 'iface' | 'auto'
  readonly links: readonly string[]
}

/** The status without hosts and rules, which may be thousands. Null: unknown. */
export interface Summary {
  readonly version: string
  readonly pid: number
  readonly startedAt: string
  readonly state: DaemonState
  readonly config: { readonly file: string; readonly appliedAt: string }
  readonly reload: ReloadState
  readonly findings: readonly Found[] | null
  readonly links: readonly LinkStatus[]
  readonly subnets: readonly { readonly prefix: string; readonly prefixes: readonly string[]
    readonly upstream: string; readonly downstream: readonly string[]; readonly hosts: number; readonly exclude: readonly string[] }[]
  /** What Router Advertisements offer on each link where they are sent. */
  readonly advertising: readonly AdvertisingStatus[]
  /** `isKept`: the configuration has `forwarding yes`. */
  readonly forwarding: { readonly isOn: boolean | null; readonly isKept: boolean }
  /** Packets since the start, by outcome. */
  readonly counters: Readonly<Record<Outcome, number>>
  readonly lastPackets: Readonly<Partial<Record<Outcome, LastPacket>>>
  readonly limits: readonly Limit[]
}

/** Targets without an owner. */
export interface Unknown { readonly failed: number; readonly probing: number }

export interface Status extends Summary {
  readonly proxies: readonly { readonly link: string; readonly rules: readonly ProxyRule[] }[]
  readonly hosts: readonly HostStatus[]
  readonly unknown: Unknown
}

/** The parts of the status that the daemon does not have itself. */
export type Program = Pick<Summary, 'version' | 'pid' | 'startedAt' | 'state' | 'reload'> & Partial<Pick<Summary, 'findings'>> & {
  /** The configuration file. */
  readonly file: string
  readonly limits: readonly Limit[]
}

export type StatusSource = Pick<Introspection, 'setting' | 'advertising' | 'nameOf' | 'usage' | 'counters' | 'lastPackets' | 'neighbors'>

/** @param all whether to yield the targets without an owner as well; otherwise they are only counted */
export function * statusReply(daemon: StatusSource, program: Program, { all }: Partial<Request> = {}): Generator<Part> {
  yield { summary: summaryOf(daemon, program) }
  for (const { iface: link, rules } of daemon.setting.config.proxies) {
    for (let i = 0; i === 0 || i < rules.length; i += PART_SIZE) {
      yield { proxies: [{ link, rules: rules.slice(i, i + PART_SIZE).map(ruleOf) }] }
    }
  }
  const now = Date.now()
  const counts = { INCOMPLETE: 0, FAILED: 0, REACHABLE: 0, PROBE: 0 }
  // Targets may come and go between two parts.
  for (const hosts of inParts(daemon.neighbors, PART_SIZE, (neighbor) => {
    counts[neighbor.state]++
    return all === true || neighbor.state === 'REACHABLE' || neighbor.state === 'PROBE' ? hostOf(neighbor, now) : undefined
  })) yield { hosts }
  yield { unknown: { failed: counts.FAILED, probing: counts.INCOMPLETE } }
}

/** Joins the parts of the reply. @returns the status, with hosts sorted by address */
export async function statusOf(parts: AsyncIterable<Part>): Promise<Status> {
  let summary: Summary | undefined
  let unknown: Unknown | undefined
  const hosts: HostStatus[] = []
  const proxies: { link: string; rules: ProxyRule[] }[] = []
  for await (const part of parts as AsyncIterable<Partial<{ summary: Summary } & Pick<Status, 'proxies' | 'hosts' | 'unknown'>>>) {
    summary ??= part.summary
    unknown ??= part.unknown
    hosts.push(...part.hosts ?? [])
    for (const { link, rules } of part.proxies ?? []) {
      const last = proxies.at(-1)
      if (last?.link === link) last.rules.push(...rules)
      else proxies.push({ link, rules: [...rules] })
    }
  }
  if (summary === undefined || unknown === undefined) {
    throw new Error('the daemon sent no status: are command and daemon of the same version?')
  }
  return { ...summary, proxies, hosts: sorted(hosts), unknown }
}

function summaryOf(daemon: StatusSource, { file, limits, findings = null, ...program }: Program): Summary {
  const { setting, usage, counters } = daemon
  const { config, prefixes, isForwarding } = setting
  const isPending = program.state === 'starting' || program.state === 'stopping'
  return {
    ...program, config: { file, appliedAt: program.reload.since }, findings, counters,
    links: linkStatuses({ ...setting, usage: usage.links, isPending }),
    subnets: config.subnets.map(({ prefix, upstream, downstream, hosts, exclude }, i) => ({ prefix: String(prefix),
      prefixes: (prefixes[i] ?? []).map(String), upstream, downstream, hosts: hosts.length, exclude: exclude.map(String) })),
    advertising: daemon.advertising.map((link) => advertisingOf(link, daemon.nameOf(link.ifindex))),
    forwarding: { isOn: isForwarding ?? null, isKept: config.forwarding },
    lastPackets: lastPacketsOf(daemon),
    limits: [...usage.limits, ...limits],
  }
}

function advertisingOf({ source, lifetime, mtu, prefixes, servers, domains, age, others }: Introspection['advertising'][number],
  link: string): AdvertisingStatus {
  const now = Date.now()
  return { link, source: source?.toString() ?? null, lastAt: timeBefore(now, age), routerLifetime: lifetime, mtu: mtu ?? null,
    prefixes: prefixes.map(({ prefix, autonomous, valid, preferred }) => ({ prefix: prefix.toString(), autonomous, valid, preferred })),
    servers, domains,
    otherRouters: others.map(({ address, mac, isForged, ...other }) => ({ address: address.toString(),
      mac: mac === undefined ? null : formatMac(mac), lifetime: other.lifetime, forged: isForged,
      lastAt: timeBefore(now, performance.now() - other.at)! })) }
}

function ruleOf(rule: Config['proxies'][number]['rules'][number]): ProxyRule {
  return { prefix: String(rule.prefix), kind: rule.kind, links: rule.kind === 'iface' ? rule.ifaces : [] }
}

function lastPacketsOf({ setting: { links }, lastPackets }: StatusSource): Summary['lastPackets'] {
  const now = Date.now()
  return Object.fromEntries(Object.entries(lastPackets).map(([outcome, { age, ifindex, mac, t0, t1, t2, t3, frame }]) => {
    const target = new Address(t0, t1, t2, t3)
    return [outcome, { at: timeBefore(now, age)!, link: links.find((link) => link.ifindex === ifindex)?.name ?? null,
      lladdr: mac < 0 ? null : formatMac(mac), target: target.isUnspecified ? null : target.toString(),
      frame: frame === undefined ? null : frameOf(frame) }]
  }))
}

function frameOf({ bytes, length, wrongAt }: KeptFrame): LastFrame {
  return { hex: Buffer.from(bytes).toString('hex'), length, wrongAt: wrongAt < 0 ? null : wrongAt }
}

function hostOf(neighbor: NeighborSnapshot, now: number): HostStatus {
  const { target: address, state, iface: link = null, lladdr: mac = null, via = null, pinned, routed: route, age, proved, proof } = neighbor
  return { address, state, link, mac, via, pinned, route, since: timeBefore(now, age), provedAt: timeBefore(now, proved),
    proof: proof ?? null }
}

/** @param age the milliseconds before `now`. @returns the time as in RFC 3339; null if `age` is infinite */
function timeBefore(now: number, age: number): string | null {
  return Number.isFinite(age) ? new Date(now - age).toISOString() : null
}

function sorted(hosts: readonly HostStatus[]): HostStatus[] {
  return hosts.map((host) => ({ host, address: Address.parse(host.address)! }))
    .sort((a, b) => a.address.compare(b.address)).map(({ host }) => host)
}
