/** The prefix of the upstream changes, or is refreshed all the time: `subnet auto` as guests see it. radvd(8) is the router. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  addGuest, addresses, advertisementIn, atHome, clock, elapsed, firstAdvertisement, hasDefaultRoute, HOME, inSeconds, leastPause, prefixIn,
  ready,
} from './kit/guests.ts'
import { type Host, scene, SERVER, until } from './kit/scene.ts'

const OLD = '2001:db8:', NEW = '2001:db8:1:'

const prefixOf = (prefix: string, valid: number, preferred: number): string =>
  `prefix ${prefix} { AdvValidLifetime ${valid}; AdvPreferredLifetime ${preferred}; };`
const BEFORE = prefixOf('2001:db8::/64', 24, 18)
const AFTER = prefixOf('2001:db8:1::/64', 600, 300)

const inOld = (guest: Host) => addresses(guest).find(({ local }) => local.startsWith(OLD) && !local.startsWith(NEW))
const inNew = (guest: Host) => addresses(guest).find(({ local }) => local.startsWith(NEW))

for (const isRestarted of [false, true]) {
  t.test(`the router moves to another prefix${isRestarted ? ' while the daemon is restarted' : ''}`, async (t) => {
    const stage = await scene(t, [])
    const { router, server, eth0, eth1, lab } = stage
    const radvd = await atHome(stage, BEFORE)
    const state = join(lab.directory, 'state')
    let daemon = await stage.start(HOME, { state })
    const guests = [await addGuest(stage, 1), await addGuest(stage, 2)]
    for (const guest of guests) {
      const address = await ready(guest)
      await until(() => server.reaches(address))
    }
    if (isRestarted) await daemon.stop('SIGUSR2')
    router.ip('addr add 2001:db8:1::1/64 dev eth0 nodad')
    let since = clock()
    radvd.change(`${AFTER} ${prefixOf('2001:db8::/64', 20, 0)}`)
    const arrival = await until(() => eth0.of('RA').find((frame) => frame.at > since && prefixIn(advertisementIn(frame), '2001:db8:1::')))
    since = arrival.at
    if (isRestarted) {
      daemon = await stage.start(HOME, { state })
      since = clock()
    }
    await Promise.all(guests.map(async (guest, i) => {
      const deprecated = await elapsed(() => inOld(guest)?.deprecated, since)
      const renewed = await elapsed(() => inNew(guest), since)
      t.comment(`guest ${i + 1}: old address deprecated after ${inSeconds(deprecated)}, new one usable after ${inSeconds(renewed)}`)
      t.ok(deprecated < 10_000 && renewed < 10_000)
    }))
    const sent = firstAdvertisement(eth1.frames, arrival.at,
      (read) => prefixIn(read, '2001:db8:1::') !== undefined && prefixIn(read, '2001:db8::')?.preferred === 0)!
    t.comment(`both advertised ${inSeconds(sent.at - since)} after ${isRestarted ? 'the daemon was ready' : 'the router moved'}`)
    for (const guest of guests) {
      const { local } = inNew(guest)!
      await until(() => server.reaches(local))
      t.ok(await guest.reaches(SERVER), 'reachable by the new address')
    }
    radvd.change(AFTER)
    for (const guest of guests) await until(() => inOld(guest) === undefined, 90_000)
    t.comment(`the old address is gone ${inSeconds(clock() - since)} after the move`)
    t.ok(leastPause(eth1.frames.filter(({ at }) => !isRestarted || at > since)) > 2000, 'multicasts are 3 s apart')
  })
}

t.test('an upstream that grants 20 s again and again', async (t) => {
  const stage = await scene(t, [])
  await atHome(stage, prefixOf('2001:db8::/64', 20, 15))
  await stage.start(HOME)
  const guest = await addGuest(stage, 1)
  await ready(guest)
  let readings = 0
  const bad: string[] = []
  for (const end = clock() + 40_000; clock() < end; readings++) {
    const found = inOld(guest)
    if (found === undefined || found.deprecated === true || !hasDefaultRoute(guest)) bad.push(JSON.stringify(found))
    await sleep(150)
  }
  t.same(bad, [], 'always an address that is preferred')
  const lifetimes = stage.eth1.of('RA').filter(({ outgoing }) => outgoing).map((frame) => prefixIn(advertisementIn(frame), '2001:db8::')!.valid)
  t.comment(`${readings} readings; ${lifetimes.length} advertisements, valid ${Math.min(...lifetimes)} to ${Math.max(...lifetimes)} s`)
  t.ok(Math.max(...lifetimes) <= 20, 'never more than granted')
})
