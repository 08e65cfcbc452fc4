/** File descriptors that are free for this process (RLIMIT_NOFILE of getrlimit(2)). */
import { closeSync, openSync } from 'node:fs'

/** Takes `count` free descriptors, or all if fewer are free. @returns a function that closes them and returns their number */
export function holdDescriptors(count: number): () => number {
  const held: number[] = []
  try {
    while (held.length < count) held.push(openSync('/', 'r'))
  } catch {
    // No descriptor is left.
  }
  return () => {
    for (const fd of held) closeSync(fd)
    return held.length
  }
}

/** @returns whether at least `count` descriptors are free */
export function areDescriptorsFree(count: number): boolean { return holdDescriptors(count)() === count }
