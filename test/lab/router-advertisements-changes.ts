/** Changes that guests must follow or not notice: the default route, and a restart of the daemon. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { addGuest, clock, elapsed, firstAdvertisement, hasDefaultRoute, HOSTER, inSeconds, leastPause, ready } from './kit/guests.ts'
import { scene, SERVER, until } from './kit/scene.ts'

t.test('the default route comes and goes with that of this machine', async (t) => {
  const stage = await scene(t)
  const { proxy, eth1, server } = stage
  await stage.start(HOSTER)
  const guest = await addGuest(stage, 1)
  const address = await ready(guest)
  await until(() => server.reaches(address))
  /** Changes something, and waits for the guest. */
  const change = async (what: string, act: () => void, isThere: boolean): Promise<void> => {
    const since = clock()
    act()
    const { at } = await until(() => firstAdvertisement(eth1.frames, since, ({ lifetime }) => (lifetime > 0) === isThere))
    const sent = at - since
    const took = await elapsed(() => hasDefaultRoute(guest) === isThere, since)
    t.comment(`${what}: advertised after ${inSeconds(sent)}, on the guest after ${inSeconds(took)}`)
    t.ok(sent < 10_000, what)
  }
  const remove = (): void => proxy.ip('route del default')
  const add = (): void => proxy.ip('route replace default via 2001:db8::1')
  await change('the route is gone', remove, false)
  await change('the route is back', add, true)
  await change('forwarding is off', () => proxy.sysctl({ 'conf/all/forwarding': 0 }), false)
  await change('forwarding is on', () => { proxy.sysctl({ 'conf/all/forwarding': 1 }); add() }, true)
  remove()
  await sleep(300)
  await change('back 0.3 s after it was gone', add, true)
  add()
  await sleep(300)
  await change('gone 0.3 s after it was back', remove, false)
  await change('back', add, true)
  await sleep(4000)
  t.ok(hasDefaultRoute(guest))
  t.comment(`multicast advertisements are at least ${inSeconds(leastPause(eth1.frames))} apart`)
  t.ok(leastPause(eth1.frames) > 2000, 'multicasts are 3 s apart')
})

t.test('a restart loses nothing', async (t) => {
  const stage = await scene(t)
  const { lab, server } = stage
  const state = join(lab.directory, 'state')
  const daemon = await stage.start(HOSTER, { state })
  const guests = await Promise.all([1, 2, 3, 4, 5].map((n) => addGuest(stage, n)))
  for (const guest of guests) {
    const address = await ready(guest)
    await until(async () => await guest.reaches(SERVER) && server.reaches(address))
  }
  const traffic = guests.map((guest) => guest.traffic(SERVER, { seconds: 10, patience: 2000 }))
  await sleep(1000)
  const since = clock()
  t.equal(await daemon.stop('SIGUSR2'), 0)
  await stage.start(HOSTER, { state })
  t.comment(`restarted in ${inSeconds(clock() - since)}`)
  const reports = await Promise.all(traffic)
  t.comment(`${reports.reduce((sum, { sent }) => sum + sent, 0)} datagrams, lost ${reports.map(({ lost }) => lost).join(' ')}`)
  t.same(reports.map(({ lost }) => lost), [0, 0, 0, 0, 0])
  for (const guest of guests) t.ok(hasDefaultRoute(guest))
})
