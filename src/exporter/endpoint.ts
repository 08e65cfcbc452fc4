/** Serves metrics at the configured endpoint. Loads the server only if an endpoint is configured. An error never ends the daemon. */
import type { Server } from 'node:http'
import type { Endpoint } from '../config/config.ts'
import type { RateLimitedLog } from '../log/rate-limited-log.ts'
import type { Reading } from './catalog.ts'

/** Milliseconds until another attempt to listen. */
const RETRY = 10_000

/** Errors of listen(2) by `code`: the reason, and what to do. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there (`ss -ltnp` names it): choose another port in `metrics`',
  EACCES: 'not permitted: choose a port above 1023 in `metrics`',
  EPERM: 'not permitted: choose a port above 1023 in `metrics`',
  EADDRNOTAVAIL: 'this machine does not have the address: add it, or choose one that `ip address` shows in `metrics`',
  EAFNOSUPPORT: 'this machine does not have addresses of this kind: choose 127.0.0.1 or ::1 in `metrics`',
  EMFILE: 'too many open files: raise `LimitNOFILE=` of the unit',
  ENFILE: 'this machine has too many open files: raise sysctl fs.file-max',
}

export interface EndpointOptions {
  readonly read: () => Reading
  readonly log: Pick<RateLimitedLog, 'info' | 'warn'>
  /** Whether enough file descriptors remain for the rest of the program. */
  readonly isRoomLeft: () => boolean
  /** Milliseconds until another attempt to listen. */
  readonly retry?: number
}

export class MetricsEndpoint {
  readonly #options: EndpointOptions
  #endpoint: Endpoint | undefined
  #server: Server | undefined
  #timer: NodeJS.Timeout | undefined
  /** Whether the present endpoint has failed, which is logged once. */
  #hasFailed = false

  constructor(options: EndpointOptions) { this.#options = options }

  /**
   * Listens at `endpoint` instead of the present endpoint, or nowhere if `endpoint` is undefined. Does nothing if both are the same.
   * @returns a promise that is fulfilled when clients can connect, or after the first error
   */
  async configure(endpoint: Endpoint | undefined): Promise<void> {
    if (endpoint?.host === this.#endpoint?.host && endpoint?.port === this.#endpoint?.port) return
    this.close()
    this.#endpoint = endpoint
    this.#hasFailed = false
    if (endpoint !== undefined) await this.#listen(endpoint)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#endpoint = undefined
    this.#server?.close()
    this.#server?.closeAllConnections()
    this.#server = undefined
  }

  async #listen(endpoint: Endpoint): Promise<void> {
    const { read, log, isRoomLeft } = this.#options
    const { createMetricsServer } = await import('./server.ts')
    if (endpoint !== this.#endpoint) return // the endpoint was changed during the import
    const server = this.#server = createMetricsServer(read, isRoomLeft)
    await new Promise<void>((resolve) => {
      server.on('error', (error) => {
        if (server === this.#server) this.#failed(endpoint, error)
        resolve()
      })
      server.listen(endpoint, () => {
        this.#hasFailed = false
        log.info({ event: 'metrics-served', endpoint: name(endpoint) }, `serving metrics at http://${name(endpoint)}/metrics`)
        resolve()
      })
    })
  }

  #failed(endpoint: Endpoint, error: NodeJS.ErrnoException): void {
    const { log, retry = RETRY } = this.#options
    const reason = REASONS[error.code ?? ''] ?? error.message
    if (!this.#hasFailed) {
      // The log counts records with the same cause as repetitions. The cause is the endpoint, so a new endpoint's error is logged at once.
      log.warn({ event: 'metrics', endpoint: name(endpoint), reason: error.code ?? error.message },
        `cannot serve metrics at ${name(endpoint)}: ${reason}; trying again every ${RETRY / 1000} s`, name(endpoint))
    }
    this.#hasFailed = true
    this.#server?.close()
    this.#server = undefined
    this.#timer = setTimeout(() => void this.#listen(endpoint), retry).unref()
  }
}

function name({ host, port }: Endpoint): string { return `${host.includes(':') ? `[${host}]` : host}:${port}` }
