/**
 * Guests with the settings that distributions ship: they get an address, a default route and servers for name resolution from the proxy's
 * Router Advertisements. rdisc6(8) and radvd(8) are the other implementations.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { MAIN } from './kit/daemon.ts'
import { addGuest, addresses, advertised, atHome, clock, elapsed, hasDefaultRoute, HOME, HOSTER, inSeconds, ready } from './kit/guests.ts'
import { goodManners, scene, SERVER, until } from './kit/scene.ts'
import { tun } from './kit/tunnel.ts'

t.test('as at a hoster: everything that a guest needs, and both ways', async (t) => {
  const stage = await scene(t)
  const { server, eth1 } = stage
  const early = await addGuest(stage, 1)
  await until(() => eth1.of('RS').length > 0)
  const daemon = await stage.start(HOSTER)
  const started = clock()
  const routed = await elapsed(() => hasDefaultRoute(early), started)
  const first = await ready(early)
  const heard = eth1.of('RA')[0].at - started
  t.comment(`a guest that was up, after the daemon was ready: advertisement ${inSeconds(heard)}, route ${inSeconds(routed)}, `
    + `DAD ${inSeconds(eth1.of('NS', first)[0].at - started)}, address ${inSeconds(clock() - started)}`)
  const late = await addGuest(stage, 2)
  const up = clock()
  const second = await ready(late)
  const took = clock() - up
  const inward = await elapsed(() => server.reaches(second, 50), up)
  t.ok(await early.reaches(SERVER) && await late.reaches(SERVER), 'outwards')
  const [asked, answered] = [eth1.of('RS'), eth1.of('RA')].map((frames) => frames.find(({ at }) => at > up)!.at - up)
  const tried = eth1.of('NS', second)[0].at - up
  t.comment(`a guest boots: first solicitation ${inSeconds(asked)}, advertisement ${inSeconds(answered)}, DAD ${inSeconds(tried)}, `
    + `address and route ${inSeconds(took)}, reachable ${inSeconds(inward)}`)
  t.ok(inward - tried < 10_000, 'soon after its DAD')
  await until(() => server.reaches(first))
  await until(() => early.reaches(second))
  t.ok(await late.reaches(first), 'and to each other, through the proxy')

  const shown = early.run(['rdisc6', '-1', 'eth0'])
  t.match(shown, /Hop limit\s*:\s*64 /)
  t.match(shown, /Stateful address conf\.\s*:\s*No[^]*Stateful other conf\.\s*:\s*No[^]*Router lifetime\s*:\s*1800 /)
  t.match(shown, /Prefix\s*:\s*2001:db8::\/64\n\s*On-link\s*:\s*No\n\s*Autonomous address conf\.:\s*Yes\n\s*Valid time\s*:\s*86400 /)
  t.match(shown, /Pref\. time\s*:\s*14400 /)
  t.match(shown, /MTU\s*:\s*1500 /)
  t.match(shown, /Recursive DNS server\s*:\s*2001:db8:ffff::2\n/)
  t.match(shown, /DNS search list\s*:\s*example\.net *\n/)
  t.match(shown, /Source link-layer address:\s*02:00:00:00:01:FF\n[^]*from fe80::/i)
  const dump = early.spawn(['radvdump'])
  await until(() => {
    late.run(['rdisc6', '-1', 'eth0'])
    return dump.lines.some((line) => line.startsWith('}; # End of interface'))
  })
  const text = dump.lines.join('\n')
  t.match(text, /AdvManagedFlag off;[^]*AdvOtherConfigFlag off;[^]*AdvDefaultLifetime 1800;/, 'the same by radvdump')
  t.match(text, /prefix 2001:db8::\/64\n[^}]*AdvValidLifetime 86400;[^}]*AdvPreferredLifetime 14400;[^}]*AdvOnLink off;[^}]*AdvAutonomous on;/)
  t.match(advertised(stage, daemon), [{ link: 'eth1', routerLifetime: 1800, mtu: 1500, servers: ['2001:db8:ffff::2'], domains: ['example.net'],
    prefixes: [{ prefix: '2001:db8::/64', autonomous: true, valid: 86_400, preferred: 14_400 }], otherRouters: [] }])
  goodManners(t, stage)
})

t.test('as at home: the prefix, the MTU and servers of the upstream', async (t) => {
  const stage = await scene(t, [])
  const { server } = stage
  await atHome(stage, 'prefix 2001:db8::/64 { AdvValidLifetime 600; AdvPreferredLifetime 300; }; AdvLinkMTU 1400; '
    + ' RDNSS 2001:db8:ffff::2 { AdvRDNSSLifetime 600; }; DNSSL home.example { AdvDNSSLLifetime 600; };')
  await stage.start(HOME)
  const guest = await addGuest(stage, 1)
  const address = await ready(guest)
  await until(() => server.reaches(address))
  t.ok(await guest.reaches(SERVER))
  const shown = await until(() => {
    const text = guest.run(['rdisc6', '-1', 'eth0'])
    return text.includes('DNS search list') && text.includes('MTU') ? text : undefined
  })
  const [, valid] = /Valid time\s*:\s*(\d+)/.exec(shown)!
  t.ok(Number(valid) > 500 && Number(valid) <= 600, `${valid} s`)
  t.match(shown, /MTU\s*:\s*1400 /)
  t.match(shown, /Recursive DNS server\s*:\s*2001:db8:ffff::2\n[^]*DNS search list\s*:\s*home\.example *\n/)
})

t.test('a mobile uplink: its prefix is on no link, and its MTU is smaller', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy } = stage
  const modem = await lab.host('modem')
  await tun(lab, { host: proxy, iface: 'wwan0', setUp: ['link set wwan0 mtu 1400', 'addr add 2001:db8:7::ff/64 dev wwan0 noprefixroute',
    'route replace default dev wwan0'] },
  { host: modem, iface: 'wwan0', setUp: ['addr add 2001:db8:8::1/128 dev wwan0', 'route add 2001:db8:7::/64 dev wwan0'] })
  await stage.start(HOME.replace('eth0', 'wwan0'))
  const guest = await addGuest(stage, 1)
  const address = await ready(guest, '2001:db8:7:')
  await until(() => modem.reaches(address))
  t.ok(await guest.reaches('2001:db8:8::1'))
  t.match(guest.run(['rdisc6', '-1', 'eth0']), /MTU\s*:\s*1400 /)
})

t.test('a stop leaves the default route, and `ndp6d cleanup` withdraws it', async (t) => {
  const stage = await scene(t)
  const { lab, proxy } = stage
  const state = join(lab.directory, 'state')
  const daemon = await stage.start(HOSTER, { state })
  const guest = await addGuest(stage, 1)
  const address = await ready(guest)
  await daemon.stop()
  await sleep(1000)
  t.ok(hasDefaultRoute(guest))
  const cleanup = (): string => proxy.exec(process.execPath, MAIN, 'cleanup', '--state', state)
  t.match(cleanup(), /^default route and prefixes of the hosts on eth1 withdrawn$/m)
  await until(() => !hasDefaultRoute(guest))
  t.ok(addresses(guest).find(({ local }) => local === address)?.deprecated)
  t.notMatch(cleanup(), /withdrawn/, 'once')
  // A daemon that is stopped as soon as it is ready may not have advertised yet.
  const next = await stage.start(HOSTER, { state })
  await until(() => hasDefaultRoute(guest))
  await next.stop()
  writeFileSync(join(state, 'prefixes.json'), readFileSync(join(state, 'prefixes.json'), 'utf8').replace(/"prefixes":\[.*\]/, '"prefixes":[]'))
  t.match(cleanup(), /on eth1 withdrawn$/m, 'also where all prefixes expired')
  await until(() => !hasDefaultRoute(guest))
})
