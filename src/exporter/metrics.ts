/** Metrics of the running program: their present values, and the endpoint that serves them. */
import type { Config } from '../config/config.ts'
import type { Limit } from '../events.ts'
import type { Introspection } from '../introspection.ts'
import type { RateLimitedLog } from '../log/rate-limited-log.ts'
import type { ReloadCounts } from '../reloads.ts'
import type { Reading } from './catalog.ts'
import { MetricsEndpoint } from './endpoint.ts'
import { readMetrics } from './metric-values.ts'

export interface MetricsOptions {
  readonly introspection: Pick<Introspection, 'figures'>
  readonly version: string
  readonly log: Pick<RateLimitedLog, 'info' | 'warn'>
  /** Limits outside of the class `Daemon`: of the outputs and the control server. */
  readonly limits: () => readonly Limit[]
  readonly reloads: () => ReloadCounts
  readonly isRoomLeft: () => boolean
}

export class Metrics {
  readonly #options: MetricsOptions
  readonly #endpoint: MetricsEndpoint

  constructor(options: MetricsOptions) {
    this.#options = options
    this.#endpoint = new MetricsEndpoint({ ...options, read: () => this.reading })
  }

  get reading(): Reading {
    const { introspection, version, limits, reloads } = this.#options
    return readMetrics(introspection, { version, reloads: reloads(), limits: limits() })
  }

  /** Serves metrics at the endpoint of the configuration, if it has one. Resolves when clients can connect, or after the first error. */
  async configure({ metrics }: Config): Promise<void> { await this.#endpoint.configure(metrics) }

  close(): void { this.#endpoint.close() }
}
