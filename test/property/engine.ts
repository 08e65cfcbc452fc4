/**
 * The engine under any sequence of frames, link events, reloads, replies of the kernel and waiting: it never throws, stays bounded,
 * answers and announces only where its rules allow it, and all that it learned expires.
 */
import t from 'tap'
import fc from 'fast-check'
import { linkOf } from '../engine/kit/basics.ts'
import { check } from './kit/critic.ts'
import { CONFIGS, step } from './kit/steps.ts'
import { World } from './kit/world.ts'

/**
 * Long enough for all learned entries but those of routers to expire, also on a link that waits for its address before each of two rounds
 * of probes. Milliseconds, as below.
 */
const SILENCE = 2000 + 2 * 4 * 100 + 1000 + 1000 + 2 * 2000
/** Silent routers expire. */
const HOUR = 3_600_000
/** Mirrored groups, announcements and the snooping detector expire. */
const QUARTER = 900_000

t.test('any inputs: effects are within the rules; after silence the state is that of a fresh engine', { timeout: 600_000 }, async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
    const world = new World(CONFIGS[0], [linkOf(2), linkOf(3)])
    for (const step of steps) world.apply(step)
    world.apply({ op: 'kernel', isSlow: false })
    world.wait(SILENCE)
    const left = world.engine.snapshot().neighbors.filter(({ pinned }) => !pinned)
    check(left.every(({ state }) => state === 'FAILED'), `expired: ${JSON.stringify(left)}`)
    if (left.length > 0) world.wait(HOUR)
    world.wait(QUARTER)
    world.compare()
    // The first comparison takes over routes of a previous run, and then the ways to their owners are asked for.
    world.wait(10)

    const { config, links, onLink } = world.sink
    // These send messages for ever.
    const isTalking = config.subnets.some(({ settings: { snooping } }) => snooping !== 'no')
    check(isTalking || world.engine.deadline === undefined, 'nothing to wait for')
    const fresh = new World(config, links.values())
    for (const link of links.values()) fresh.prefixes(link, onLink.get(link.name) ?? [])
    fresh.apply({ op: 'config', config })
    check(world.rest === fresh.rest, `${world.rest}\n expected\n ${fresh.rest}`)
  }), { numRuns: Number(process.env['RUNS'] ?? 1500) })
})
