/** Reads the present values of all metrics. Every series that can exist has a value from the start, 0 at first. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { Limit, Outcome } from '../events.ts'
import { ACTIONS, SILENT_REASONS } from '../events.ts'
import type { Introspection } from '../introspection.ts'
import type { ReloadCounts } from '../reloads.ts'
import { DROP_REASONS } from '../wire/ndisc-decode.ts'
import type { MetricName, Reading, Sample } from './catalog.ts'

/** Outcomes of Neighbor Advertisements. All other actions, except `repaired`, are outcomes of Neighbor Solicitations. */
const OF_ADVERTISEMENTS: readonly Outcome[] = ['proof', 'unsolicited', 'proxied', 'conflict']
const OF_SOLICITATIONS: readonly Outcome[] = [...ACTIONS.filter((action) => action !== 'repaired' && !OF_ADVERTISEMENTS.includes(action)),
  ...SILENT_REASONS]

/** Values that the figures of the daemon do not contain. */
export interface Program {
  readonly version: string
  readonly reloads: ReloadCounts
  /** Limits outside of the class `Daemon`: of the outputs and the control server. */
  readonly limits: readonly Limit[]
}

export function readMetrics({ figures }: Pick<Introspection, 'figures'>, program: Program): Reading {
  const { totals, engine, counters, limits, findings } = figures
  const { neighbors, routes } = engine.counts
  const { reloads } = program
  const { solicited } = engine.interfaces
  const links = totals.interfaces
  const perLink = (value: (link: (typeof links)[number]) => number): Sample[] => links.map((link) => [link.word, value(link)])
  const byOutcome = (outcomes: readonly Outcome[]): Sample[] => outcomes.map((outcome) => [outcome, counters[outcome]])
  const usage = merged([...limits, ...program.limits])
  return {
    ndp6d_build_info: [[program.version, process.version, 1]],
    ndp6d_start_time_seconds: [[startedAt]],
    ndp6d_findings: findings.map(({ code, severity, count }) => [code, severity, count]),
    ndp6d_config_reloads_total: Object.entries(reloads.verdicts),
    ndp6d_config_last_reload_successful: [[Number(!reloads.isLastRefused)]],
    ndp6d_config_last_reload_success_timestamp_seconds: [[reloads.appliedAt / 1000]],

    ndp6d_links_serving: links.map(({ word, serving }) => [word, solicited.includes(word) ? 'upstream' : 'downstream', serving]),
    ndp6d_frames_received_total: perLink(({ traffic }) => traffic.received),
    ndp6d_frames_lost_total: perLink(({ traffic }) => traffic.drops),
    ndp6d_frames_sent_total: perLink(({ traffic }) => traffic.sent),
    ndp6d_frames_unsent_total: perLink(({ traffic }) => traffic.unsent),
    ndp6d_groups: perLink(({ ifindexes }) => ifindexes.reduce((sum, ifindex) => sum + engine.groups(ifindex), 0)),

    ndp6d_solicitations_received_total: perLink(({ traffic }) => traffic.solicitations),
    ndp6d_solicitations_total: byOutcome(OF_SOLICITATIONS),
    ndp6d_advertisements_received_total: byOutcome(OF_ADVERTISEMENTS),
    ndp6d_packets_dropped_total: byOutcome(DROP_REASONS),
    ndp6d_advertisements_sent_total: perLink(({ traffic }) => traffic.advertisements),
    ndp6d_probes_sent_total: perLink(({ traffic }) => traffic.probes),

    ndp6d_neighbors: Object.entries(neighbors),
    ndp6d_neighbor_changes_total: Object.entries(totals.changes),
    ndp6d_neighbor_repairs_total: [[counters.repaired]],
    ndp6d_conflicts_total: Object.entries(totals.conflicts),
    ndp6d_routes: Object.entries(routes),
    ndp6d_route_errors_total: [[totals.routeErrors]],

    ndp6d_limit_used: usage.map(({ name, used }) => [name, used]),
    ndp6d_limit_size: usage.map(({ name, size }) => [name, size]),
    ndp6d_limit_refusals_total: Object.entries(totals.refusals),
    ...processReading(),
  } satisfies Record<MetricName, readonly Sample[]>
}

/** If each link has a limit of its own, keeps only that of the link with the highest usage, because there may be hundreds of links. */
function merged(limits: readonly Limit[]): Limit[] {
  const byName = new Map<string, Limit>()
  for (const limit of limits) {
    const name = limit.iface === undefined ? limit.name : limit.name.replace(` on ${limit.iface}`, '')
    const other = byName.get(name)
    if (other === undefined || other.used * limit.size < limit.used * other.size) byName.set(name, { ...limit, name })
  }
  return [...byName.values()]
}

const startedAt = Date.now() / 1000 - process.uptime()
let maxDescriptors: number | undefined

/** Names and meanings of the metrics `process_*` are those of Prometheus' client libraries. */
function processReading() {
  const { user, system } = process.cpuUsage()
  maxDescriptors ??= Number(/^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Number.NaN)
  return {
    ndp6d_event_loop_busy_seconds_total: [[performance.eventLoopUtilization().active / 1000]],
    process_start_time_seconds: [[startedAt]],
    process_cpu_seconds_total: [[(user + system) / 1e6]],
    process_resident_memory_bytes: [[process.memoryUsage.rss()]],
    process_open_fds: [[openDescriptors()]],
    process_max_fds: [[maxDescriptors]],
  } satisfies Reading
}

function openDescriptors(): number {
  const directory = '/proc/self/fd'
  // Since Linux 6.2, the size of the directory is the number of descriptors. Older kernels show size 0, so the directory is read. Reading
  // takes 2 us per descriptor, and opens one more descriptor, which is subtracted.
  return statSync(directory).size || readdirSync(directory).length - 1
}
