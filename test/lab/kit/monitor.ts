/** What ip-monitor(8) tells of addresses and routes in a lab host, and when. */
import type { Host } from './lab.ts'
import { until } from '../../kit/until.ts'

const MARK = 'fd00::1/128'

export class Monitor {
  /** `at` is `performance.now()` of the test. */
  readonly #events: { readonly at: number; readonly text: string }[] = []

  /** Listens when it resolves. */
  static async start(host: Host): Promise<Monitor> {
    const monitor = new Monitor()
    const proc = host.spawn(['ip', '-6', 'monitor', 'address', 'route'])
    proc.onLine = (text) => monitor.#events.push({ at: performance.now(), text })
    // It says nothing of its start: an address comes and goes until it tells of that.
    await until(() => {
      host.ip(`addr add ${MARK} dev lo`, `addr del ${MARK} dev lo`)
      return monitor.#events.length > 0
    })
    return monitor
  }

  /** When the first event since `since` was told whose line matches, or comes within `limit` milliseconds. */
  async at(pattern: RegExp, limit: number, since = 0): Promise<number> {
    const event = await until(() => this.#events.find(({ at, text }) => at >= since && pattern.test(text)), limit, `${pattern}`)
    return event.at
  }

  /** When an address is there, without DAD going on or failed (RFC 4862 5.4). */
  settled(address: string, limit: number): Promise<number> {
    return this.at(new RegExp(`inet6 ${address}/(?!.*(tentative|dadfailed))`), limit)
  }

  routed(target: string, limit: number, since = 0): Promise<number> {
    return this.at(new RegExp(`^(\\[ROUTE\\])?${target} dev .* proto 136\\b`), limit, since)
  }

  unrouted(target: string, limit: number, since = 0): Promise<number> {
    return this.at(new RegExp(`Deleted ${target} dev .* proto 136\\b`), limit, since)
  }
}
