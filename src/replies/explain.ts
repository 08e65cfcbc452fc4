/** The reply to `ndp6d explain`. It is the JSON document that the command prints; schemas/explain.json describes it. */
import { Address, formatMac } from '../address.ts'
import type { StatementKey } from '../config/config.ts'
import type { Part, Request } from '../control/protocol.ts'
import type { Introspection } from '../introspection.ts'
import { probe, type ProbeReply, type ProbeSource, round } from './probe.ts'
import { type Reason, type Verdict, verdictOf } from './verdict.ts'

export const EXPLAIN_SCHEMA = 'ndp6d/explain/1'
/** The most solicitations in the reply. */
const HISTORY = 10

/** Where a statement of the configuration is; null if it is not known. */
export interface Place { readonly file: string | null; readonly line: number | null }

export interface ExplainedRule extends Place {
  readonly kind: 'static' | 'iface' | 'auto' | 'subnet'
  readonly prefix: string
}

export interface ExplainedLink {
  readonly interface: string
  readonly outcome: string
  readonly rules: readonly ExplainedRule[]
  readonly probed: readonly string[]
}

export interface ExplainedOwner {
  readonly state: string
  readonly interface: string | null
  readonly lladdr: string | null
  readonly pinned: boolean
  readonly via: string | null
  readonly proxied: boolean
  readonly router: boolean
  readonly provedAt: string | null
  readonly nextAt: string | null
  readonly probed: readonly string[]
  readonly probes: number
  readonly waiting: number
  readonly claimedOn: string | null
  readonly claimedBy: string | null
  readonly route: 'installed' | 'pending' | null
  readonly groups: readonly string[]
}

export interface ExplainedSolicitation {
  readonly at: string
  readonly interface: string
  readonly source: string
  readonly lladdr: string | null
  readonly mode: 'unicast' | 'multicast'
  readonly outcome: string
  readonly waitedMs: number | null
}

export interface Explained {
  readonly schema: typeof EXPLAIN_SCHEMA
  readonly running: true
  readonly address: string
  readonly verdict: Verdict
  readonly reason: Reason
  readonly links: readonly ExplainedLink[]
  readonly owner: ExplainedOwner | null
  readonly host: Place | null
  readonly excluded: Place & { readonly prefix: string } | null
  readonly own: readonly string[]
  readonly kernel: {
    readonly route: { readonly prefix: string; readonly type: string; readonly interface: string | null; readonly via: string | null
      readonly protocol: number; readonly metric: number | null; readonly table: number } | null
    readonly from: string | null
    readonly neighbors: readonly { readonly interface: string; readonly state: string; readonly lladdr: string | null }[]
    readonly proxies: readonly { readonly interface: string; readonly used: boolean }[]
  } | null
  readonly history: readonly ExplainedSolicitation[]
  readonly probe: readonly ProbeReply[] | null
}

export interface ExplainSource {
  readonly daemon: ProbeSource & { readonly observers: Pick<Introspection['observers'], 'history'> }
  /** @returns undefined if the place is not known */
  readonly place: (statement: StatementKey) => { readonly file: string; readonly line: number } | undefined
}

type Findings = ReturnType<Introspection['explain']>

/** Explains an address. If the request has `probe`, first solicits the address. */
export async function * explainReply(request: Request, source: ExplainSource, closed: AbortSignal): AsyncGenerator<Part> {
  const address = typeof request.address === 'string' ? Address.parse(request.address) : undefined
  if (address === undefined) throw new Error('`explain` needs an IPv6 address')
  const replies = request.probe === true ? await probe(address, source.daemon, closed) : null
  yield { ...explain(address, source, replies) }
}

function explain(address: Address, { daemon, place }: ExplainSource, probe: readonly ProbeReply[] | null): Explained {
  const found = daemon.explain(address)
  const placeOf = (statement: StatementKey): Place => place(statement) ?? { file: null, line: null }
  const { links, own, excluded, host, neighbor } = found
  return {
    schema: EXPLAIN_SCHEMA, running: true, address: address.toString(), ...verdictOf(address, found),
    links: links.map(({ iface, outcome, rules, probed }) => ({ interface: iface, outcome, probed,
      rules: rules.map(({ kind, prefix, statement }) => ({ kind, prefix, ...placeOf(statement) })) })),
    owner: neighbor === undefined ? null : ownerOf(neighbor),
    host: host === undefined ? null : placeOf(host),
    excluded: excluded === undefined ? null : { prefix: excluded.prefix, ...placeOf(excluded.statement) },
    own: own.map(({ iface }) => iface),
    kernel: found.kernel === undefined ? null : kernelOf(found.kernel),
    history: historyOf(address, daemon), probe,
  }
}

function ownerOf({ state, iface, lladdr, pinned, via, proxied, router, proved, next, probed, probes, waiting, claimed, claimant, route,
  isRoutePending, groups }: NonNullable<Findings['neighbor']>): ExplainedOwner {
  return {
    state, interface: iface ?? null, lladdr: lladdr ?? null, pinned, via: via ?? null, proxied, router,
    provedAt: proved === undefined ? null : time(-proved), nextAt: next === undefined ? null : time(next), probed, probes, waiting,
    claimedOn: claimed ?? null, claimedBy: claimant ?? null, groups,
    route: route === undefined ? null : isRoutePending ? 'pending' : 'installed',
  }
}

function kernelOf({ route, from, neighbors, proxies }: NonNullable<Findings['kernel']>): NonNullable<Explained['kernel']> {
  return {
    route: route === undefined ? null : { prefix: route.prefix, type: route.type, interface: route.iface ?? null, via: route.via ?? null,
      protocol: route.protocol, metric: route.metric ?? null, table: route.table },
    from: from ?? null,
    neighbors: neighbors.map(({ iface, state, lladdr }) => ({ interface: iface, state, lladdr: lladdr ?? null })),
    proxies: proxies.map(({ iface, isUsed }) => ({ interface: iface, used: isUsed })),
  }
}

function historyOf(address: Address, daemon: ExplainSource['daemon']): ExplainedSolicitation[] {
  return daemon.observers.history.of(address, HISTORY).map(({ at, ifindex, source, mac, isUnicast, outcome, waited }) => ({
    at: time(at - performance.now()), interface: daemon.nameOf(ifindex), source: source.toString(), lladdr: mac < 0 ? null : formatMac(mac),
    mode: isUnicast ? 'unicast' : 'multicast', outcome, waitedMs: waited === undefined ? null : round(waited),
  }))
}

/** @param distance milliseconds from now, negative for the past. @returns the time as in RFC 3339 */
function time(distance: number): string { return new Date(Date.now() + distance).toISOString() }
