/** All metrics: type, labels and help. The names keep to the rules of Prometheus: base units, no abbreviations, `_total` for counters. */
export interface Metric {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly labels: readonly string[]
}

function counter(help: string, ...labels: string[]): Metric { return { type: 'counter', help, labels } }
function gauge(help: string, ...labels: string[]): Metric { return { type: 'gauge', help, labels } }

/**
 * Label `interface` is a name or pattern of the configuration, as written there; `auto` stands for links that are used only because
 * of a route (`auto` rules). The configuration therefore bounds the number of series. No label contains an address.
 */
export const METRICS = {
  ndp6d_build_info: gauge('Versions of the program and of Node; always 1.', 'version', 'node'),
  ndp6d_start_time_seconds: gauge('Time at which the program started.'),
  ndp6d_findings: gauge('Problems that the daemon found, by the code that ndp6d doctor explains.', 'code', 'severity'),
  ndp6d_config_reloads_total: counter('Reloads of the configuration, by verdict.', 'verdict'),
  ndp6d_config_last_reload_successful: gauge('0 if the last reload was refused, else 1.'),
  ndp6d_config_last_reload_success_timestamp_seconds: gauge('Time of the last reload that was applied, or of the start.'),

  ndp6d_links_serving: gauge('Links on which packets are received and answered; 0 while a named link does not exist or is down.', 'interface', 'role'),
  ndp6d_frames_received_total: counter('Neighbor Discovery and MLD query frames received.', 'interface'),
  ndp6d_frames_lost_total: counter('Received frames that the kernel dropped because they came faster than they were read.', 'interface'),
  ndp6d_frames_sent_total: counter('Frames sent.', 'interface'),
  ndp6d_frames_unsent_total: counter('Frames that the link did not take within a second, or refused.', 'interface'),
  ndp6d_groups: gauge('Solicited-node groups joined by MLD.', 'interface'),

  ndp6d_solicitations_received_total: counter('Valid Neighbor Solicitations received.', 'interface'),
  ndp6d_solicitations_total: counter('Valid Neighbor Solicitations received, by outcome.', 'outcome'),
  ndp6d_advertisements_received_total: counter('Valid Neighbor Advertisements received, by outcome.', 'outcome'),
  ndp6d_packets_dropped_total: counter('Received packets that are invalid or not meant for this machine, by reason.', 'reason'),
  ndp6d_advertisements_sent_total: counter('Neighbor Advertisements sent: answers and announcements.', 'interface'),
  ndp6d_probes_sent_total: counter('Neighbor Solicitations sent: probes, verifications and announcements of announce solicit.', 'interface'),

  ndp6d_neighbors: gauge('Entries of the neighbor cache, by state.', 'state'),
  ndp6d_neighbor_changes_total: counter('Owners of addresses that were found, moved to another link, or lost.', 'change'),
  ndp6d_neighbor_repairs_total: counter('Entries of the kernel\'s neighbor table that were set back to their owner.'),
  ndp6d_conflicts_total: counter('Claims of another host on the address of an owner, by the reason why the claim was refused.', 'basis'),
  ndp6d_routes: gauge('Host routes: wanted, and installed in the kernel.', 'state'),
  ndp6d_route_errors_total: counter('Changes of host routes that the kernel refused.'),

  ndp6d_limit_used: gauge('Places of a table, queue or budget that are in use.', 'limit'),
  ndp6d_limit_size: gauge('Places of a table, queue or budget.', 'limit'),
  ndp6d_limit_refusals_total: counter('Refusals because a limit was reached.', 'limit'),

  ndp6d_event_loop_busy_seconds_total: counter('Time in which the event loop was not waiting.'),
  process_start_time_seconds: gauge('Start time of the process since unix epoch in seconds.'),
  process_cpu_seconds_total: counter('Total user and system CPU time spent in seconds.'),
  process_resident_memory_bytes: gauge('Resident memory size in bytes.'),
  process_open_fds: gauge('Number of open file descriptors.'),
  process_max_fds: gauge('Maximum number of open file descriptors.'),
} as const satisfies Readonly<Record<string, Metric>>

export type MetricName = keyof typeof METRICS

/** One series: the values of its labels, in the order of {@link Metric.labels}, and then its value. */
export type Sample = readonly [...labels: string[], value: number]

/** All series at one time. A daemon of another version may have other metrics. */
export type Reading = Readonly<Partial<Record<MetricName, readonly Sample[]>>>
