import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds; only a failing test takes that long. */
const LIMIT = 30_000

/**
 * Polls until `condition` returns something true, and returns it.
 * @param limit milliseconds @param what default: the source of the condition @throws Error naming `what` when time is up
 */
export async function until<T>(condition: () => T | Promise<T>, limit = LIMIT, what = `${condition}`): Promise<NonNullable<T>> {
  for (const end = performance.now() + limit; ;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
    await sleep(25)
  }
}
