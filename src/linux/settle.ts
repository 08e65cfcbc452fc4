/**
 * Gives back the memory that only a start or a reload needed: garbage, free heap, and pages of Node's program file that
 * hold its compiler and its start. It takes some 20 ms; packets wait in their sockets meanwhile.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { native } from './native.ts'

let collect: (() => void) | undefined

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
