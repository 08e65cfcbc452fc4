/** Other routers, attackers and crowds on a downstream link with Router Advertisements. radvd(8) and thc-ipv6 are the others. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { frame, nthMac } from '../kit/frames.ts'
import { addGuest, advertised, clock, HOSTER, inSeconds, leastPause, Radvd, ready } from './kit/guests.ts'
import { scene, SERVER, until, vmAddress } from './kit/scene.ts'

t.test('a rogue router inside', async (t) => {
  const stage = await scene(t)
  const daemon = await stage.start(HOSTER)
  const guest = await addGuest(stage, 1)
  await ready(guest)
  const rogue = await addGuest(stage, 9)
  rogue.sysctl({ 'conf/all/forwarding': 1 })
  new Radvd(stage.lab, rogue, 'prefix fd00:bad::/64 { };')
  const said = () => daemon.records.filter(({ event }) => event === 'router')
  await until(() => said().length > 0)
  await sleep(8000)
  t.match(said(), [{ iface: 'eth1', target: rogue.linkLocal('eth0'), msg: /sends Router Advertisements, too/ }], 'said once')
  t.match(guest.run(['rdisc6', '-1', '-w', '3000', 'eth0']), /from fe80::/)
  t.match(advertised(stage, daemon), [{ otherRouters: [{ address: rogue.linkLocal('eth0'), forged: false }] }])
})

for (const attack of ['flood_router26 eth0', 'fake_router26 -i 0 -A fd00:bad::/64 eth0']) {
  t.test(`thc-ipv6: ${attack}`, async (t) => {
    const stage = await scene(t, [2])
    const { eth1, proxy, server, vms: [vm] } = stage
    vm.sysctl({ 'conf/eth0/accept_ra': 0 })
    const daemon = await stage.start(HOSTER)
    const guest = await addGuest(stage, 1)
    const attacker = await addGuest(stage, 9)
    const address = await ready(guest)
    await until(() => server.reaches(address))
    await until(() => server.reaches(vmAddress(2)))
    const memory = [daemon.memory()]
    for (let round = 0; round < 3; round++) {
      attacker.exec('sh', '-c', `timeout 3 atk6-${attack} >/dev/null 2>&1 || :`)
      await sleep(1000)
      memory.push(daemon.memory())
    }
    const forged = eth1.of('RA').filter(({ outgoing }) => !outgoing).length
    t.comment(`${forged} forged advertisements; memory ${memory.map((size) => size.toFixed(1)).join(', ')} MiB`)
    t.ok(forged > 0)
    const events = daemon.records.filter(({ event }) => event === 'router')
    t.equal(events.length, 1, 'one event')
    t.ok(memory[3] - memory[0] < 20, 'no growth')
    t.ok(daemon.proc.running)
    t.ok(advertised(stage, daemon)[0].otherRouters.length <= 8)
    // A guest that takes no advertisements. Single datagrams may be lost while the links are full.
    await until(() => server.reaches(vmAddress(2), 500), 10_000)
    await until(() => vm.reaches(SERVER, 500), 10_000)
    const inward = await server.reaches(address, 5000)
    t.comment(`the guest that takes them: ${inward ? '' : 'not '}reachable, ${guest.show('route show default').length} default routes, `
      + `${guest.show<{ addr_info: unknown[] }>('addr show dev eth0')[0].addr_info.length} addresses`)
    // Its kernel prefers the forged routers: their preference is high (RFC 4191), and the reachable time that they give is 52 minutes.
    guest.ip('route flush default', `route add default via ${proxy.linkLocal('eth1')} dev eth0`)
    await until(() => server.reaches(address))
    t.ok(await guest.reaches(SERVER), 'also the other one, without the forged routes')
  })
}

t.test('300 guests solicit within a second', async (t) => {
  const stage = await scene(t)
  const { eth1 } = stage
  await stage.start(HOSTER)
  const crowd = await addGuest(stage, 9)
  await ready(crowd)
  const guests = Array.from({ length: 300 }, (_, i) => ({ from: nthMac(i), source: `fe80::6:${(i + 1).toString(16)}` }))
  const option = (from: string): number[] => [1, 1, ...from.split(':').map((byte) => Number.parseInt(byte, 16))]
  const since = clock()
  // A guest whose link-local address is tentative solicits from `::` (RFC 4861 6.3.7).
  await crowd.inject('eth0', guests.flatMap(({ from, source }) => [
    frame({ from, source: '::', to: 'ff02::2' }, [133, 0, 0, 0, 0, 0, 0, 0]),
    frame({ from, source, to: 'ff02::2' }, [133, 0, 0, 0, 0, 0, 0, 0, ...option(from)]),
  ]))
  const injected = clock() - since
  await sleep(5000)
  const sent = eth1.of('RA').filter(({ outgoing, at }) => outgoing && at >= since)
  const delays = guests.map(({ from, source }) => {
    const asked = eth1.of('RS').find((rs) => rs.source === source)
    const answer = sent.find((ra) => ra.destination === source && ra.to === from)
    return asked === undefined || answer === undefined ? Infinity : answer.at - asked.at
  })
  const multicasts = sent.filter(({ destination }) => destination === 'ff02::1')
  t.comment(`600 solicitations in ${inSeconds(injected)}; slowest answer ${inSeconds(Math.max(...delays))}, `
    + `${sent.length - multicasts.length} unicasts, ${multicasts.length} multicasts at least ${inSeconds(leastPause(eth1.frames))} apart`)
  t.equal(delays.filter((delay) => delay === Infinity).length, 0, 'all are answered')
  t.ok(multicasts.length >= 1, 'those without an address by multicast')
  t.ok(leastPause(eth1.frames) > 2000, 'multicasts are 3 s apart')
})
