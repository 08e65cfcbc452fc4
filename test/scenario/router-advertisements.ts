/** Guests that configure themselves from Router Advertisements, whatever happens to the upstream, the default route and the proxy. */
import t from 'tap'
import { Home, type Lifetimes } from './kit/home.ts'
import { everySeed, GUSTY, numbers, STORM, type World } from './kit/story.ts'

/** Milliseconds: the pause between two multicasts, then DAD, which takes up to two seconds, and delays of frames. */
const LATEST = 3000 + 2000 + 100
/** Milliseconds: the longest interval between two multicasts (MaxRtrAdvInterval, RFC 4861 6.2.1), then the same. */
const LATEST_WITHOUT_NEWS = 600_000 + LATEST
const GUESTS = numbers(0x20, 0x25)

const ORDINARY: Lifetimes = { valid: 86_400, preferred: 14_400, refresh: 300 }
const SHORT: Lifetimes = { valid: 20, preferred: 20, refresh: 4 }

/** What happens in a story: each ends within a second. */
const EVENTS: readonly ((home: Home, world: World) => void)[] = [
  (home) => home.renumber(),
  (home) => home.renumber(false),
  (home, { random }) => home.restart(300 * random(), random() < 0.5),
  (home, { random }) => home.restart(900 * random(), random() < 0.5, () => home.renumber(random() < 0.5)),
  ({ proxy: { routing } }) => routing.change({ hasDefaultRoute: false }),
  ({ proxy: { routing } }) => routing.change({ hasDefaultRoute: true }),
  ({ proxy: { routing } }, world) => {
    routing.change({ hasDefaultRoute: !routing.isRouted })
    world.after(300, () => routing.change({ hasDefaultRoute: !routing.isRouted }))
  },
  ({ proxy: { routing } }, world) => {
    routing.change({ isForwarding: false })
    world.after(300, () => routing.change({ isForwarding: true }))
  },
  (home, world) => {
    home.renumber()
    world.after(300, () => home.renumber())
  },
]

function happen(home: Home, world: World): void { EVENTS[Math.floor(world.random() * EVENTS.length)](home, world) }

/** Milliseconds until something happens: mostly within a minute, while advertisements still follow the one before. */
function pauseIn({ random }: World): number { return random() * (random() < 0.1 ? 2_000_000 : 60_000) }

/** Guests come up one after another. */
function boot(home: Home, world: World): void {
  for (const n of GUESTS) world.after(world.random() * 20_000, () => home.addGuest(n))
  world.run(20_000)
}

for (const [name, lifetimes] of [['days', ORDINARY], ['seconds', SHORT]] as const) {
  t.test(`without loss, each guest has the right addresses and route within seconds; lifetimes of ${name}`, async (t) => {
    everySeed(t, ['right'], (world) => {
      world.weather = GUSTY
      const home = new Home(world, lifetimes)
      boot(home, world)
      world.run(LATEST)
      home.check()
      for (let i = 0; i < 10; i++) {
        happen(home, world)
        world.run(1000 + LATEST)
        for (let pause = pauseIn(world); pause > 0; pause -= 10_000) {
          home.check()
          world.run(Math.min(pause, 10_000))
        }
      }
      home.check()
      return ['right']
    })
  })
}

t.test('with a loss of 20 %, nearly all are right soon, and all in the end', async (t) => {
  let looks = 0, faults = 0
  everySeed(t, ['right'], (world) => {
    world.weather = STORM
    const home = new Home(world, ORDINARY)
    boot(home, world)
    for (let i = 0; i < 10; i++) {
      // The first three advertisements after a change are at most 16 s apart.
      world.run(32_000 + LATEST)
      looks += home.guests.length
      faults += home.guests.filter((guest) => home.faultsOf(guest).length > 0).length
      world.run(pauseIn(world))
      happen(home, world)
    }
    world.run(1000)
    world.weather = GUSTY
    world.run(LATEST_WITHOUT_NEWS)
    home.check()
    return ['right']
  })
  t.ok(faults < 0.03 * looks, `${faults} of ${looks} are not`)
})
