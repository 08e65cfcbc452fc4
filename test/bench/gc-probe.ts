/**
 * Loaded into the daemon by `node --import`: prints `gc AT DURATION` on stderr for each pause by garbage collection of 0.5 ms or
 * more. AT is milliseconds since the epoch, DURATION milliseconds (perf_hooks, PerformanceObserver). A first line without a pause
 * shows that the probe is loaded.
 */
import { writeSync } from 'node:fs'
import { performance, PerformanceObserver } from 'node:perf_hooks'

const LEAST = 0.5

new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) {
    if (duration >= LEAST) writeSync(2, `gc ${performance.timeOrigin + startTime} ${duration}\n`)
  }
}).observe({ entryTypes: ['gc'] })
writeSync(2, `gc ${performance.timeOrigin} 0\n`)
