/**
 * Gives back the memory that only a start or a reload needed: garbage, free heap, and pages of Node's program file that
 * hold its compiler and its start. It takes some 20 ms; packets wait in their sockets meanwhile.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { native } from './native.ts'

let collect: (() => void) | undefined

/**
 * Whether V8 may take more room for new garbage whenever there is much. Of what it took it gives back half at a time, and only
 * when it saw little garbage for 5 s.
 */
export function mayGrow(isAllowed: boolean): void {
  setFlagsFromString(`--semi-space-growth-factor=${isAllowed ? 2 : 1}`)
}

/** Collects and trims now. */
export function settle(): void {
  if (collect === undefined) {
    // The collector has no other name outside of V8; it works on all contexts.
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
    setFlagsFromString('--no-expose-gc')
  }
  collect()
  native.trimMemory()
}
