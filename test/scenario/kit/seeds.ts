/** Plays a story with many seeds: it ends the same in any weather. */
import type { Test } from 'tap'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chance } from '../../engine/kit/stage.ts'
import { World } from './world.ts'

const { SEEDS = '100', SEED } = process.env

/** @returns the state at the end, in lines @throws Error when something is wrong before the end */
export type Play = (world: World, seed: number) => readonly string[]

/**
 * Plays seeds 1 to 100 (SEEDS: another number; SEED: only this one). With every other seed all announcements of proxies are lost.
 * Stops at the first seed with another end than `end`, and plays it again to capture its frames.
 */
export function everySeed(t: Test, end: readonly string[], play: Play): void {
  const [first, last] = SEED === undefined ? [1, Number(SEEDS)] : [Number(SEED), Number(SEED)]
  for (let seed = first; seed <= last; seed++) {
    const isMuted = seed % 2 === 0
    const found = outcome(play, new World(chance(seed), { isMuted }), seed)
    if (found.join('\n') === end.join('\n')) continue
    const world = new World(chance(seed), { isMuted, isRecorded: true })
    outcome(play, world, seed)
    const file = join(mkdtempSync(join(tmpdir(), 'ndp6d-')), `seed-${seed}.pcap`)
    writeFileSync(file, world.pcap())
    t.same(found, end, `seed ${seed}; its frames: ${file}`)
    return
  }
  t.pass(`the same end for seeds ${first} to ${last}`)
}

function outcome(play: Play, world: World, seed: number): readonly string[] {
  try {
    return play(world, seed)
  } catch (error) {
    return [`at ${(world.now / 1000).toFixed(3)} s: ${String(error)}`]
  }
}
