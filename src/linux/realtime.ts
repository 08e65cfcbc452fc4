/**
 * Precedence over other programs (sched(7)). Without it a thread that is woken waits for what else runs on its CPU, V8's own
 * helpers too: up to 4 ms on a kernel with 250 ticks a second, however nice they are (PREEMPT_LAZY).
 */
import { availableParallelism } from 'node:os'
import { native } from './native.ts'

/**
 * Gives this thread, but none that it starts later, the lowest realtime priority. Not where there is one CPU only: others
 * would have next to none of it in a flood.
 * @returns whether it has it: it takes CAP_SYS_NICE or a limit RLIMIT_RTPRIO of 1, and a control group that may have such
 */
export function useRealtime(cpus = availableParallelism()): boolean {
  if (cpus === 1) return false
  try {
    native.useRealtime()
    return true
  } catch {
    return false
  }
}
