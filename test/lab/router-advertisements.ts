/**
 * Guests with the settings that distributions ship: they get an address, a default route and servers for name resolution from the proxy's
 * Router Advertisements. rdisc6(8) and radvd(8) are the other implementations.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Status } from '../../src/replies/status.ts'
import { type Daemon, MAIN } from './kit/daemon.ts'
import { goodManners, type Host, type Scene, scene, SERVER, until } from './kit/scene.ts'
import { tun } from './kit/tunnel.ts'

const HOSTER = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
  router-advertisements yes
  dns 2001:db8:ffff::2
  search example.net
}`
const HOME = 'subnet auto {\n  upstream eth0\n  downstream eth1\n  router-advertisements yes\n}'

/** A host with the defaults of Linux: DAD, solicitations of routers, SLAAC. */
async function addGuest({ lab, inside }: Scene, n: number): Promise<Host> {
  const guest = await lab.host(`guest${n}`, { dad: true })
  guest.sysctl({ 'conf/default/router_solicitations': -1, 'conf/default/accept_ra': 1 })
  lab.link(guest, 'eth0', inside, `guest${n}`)
  return guest
}

interface Shown { readonly local: string; readonly dynamic?: boolean; readonly tentative?: boolean; readonly deprecated?: boolean }

/** Addresses by SLAAC that are usable. */
function addresses(guest: Host): Shown[] {
  return guest.show<{ addr_info: Shown[] }>('addr show dev eth0').flatMap(({ addr_info }) => addr_info)
    .filter(({ dynamic, tentative }) => dynamic === true && tentative !== true)
}

function hasDefaultRoute(guest: Host): boolean { return guest.show('route show default').length > 0 }

/** Waits for the guest's address in the prefix, and its route. @returns the address */
async function ready(guest: Host, prefix = '2001:db8:'): Promise<string> {
  return until(() => hasDefaultRoute(guest) ? addresses(guest).find(({ local }) => local.startsWith(prefix))?.local : undefined)
}

/** @returns what `ndp6d status` says about the advertisements */
function advertised({ proxy }: Scene, { configFile }: Daemon): Status['advertising'] {
  const text = proxy.exec('env', `RUNTIME_DIRECTORY=${dirname(configFile)}`, process.execPath, MAIN, 'status', '--json')
  return (JSON.parse(text) as Status).advertising
}

/** radvd(8) on the router, as at home. */
function advertise({ lab, router }: Scene, prefixes: string, more = ''): void {
  const file = join(lab.directory, 'radvd')
  writeFileSync(`${file}.conf`, `interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; ${more} ${prefixes} };\n`)
  router.spawn(['radvd', '-n', '-C', `${file}.conf`, '-p', `${file}.pid`])
}

t.test('as at a hoster: everything that a guest needs, and both ways', async (t) => {
  const stage = await scene(t)
  const { server, eth1 } = stage
  const early = await addGuest(stage, 1)
  const daemon = await stage.start(HOSTER)
  const late = await addGuest(stage, 2)
  const [first, second] = [await ready(early), await ready(late)]
  for (const address of [first, second]) await until(() => server.reaches(address))
  t.ok(await early.reaches(SERVER) && await late.reaches(SERVER), 'outwards')
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
  t.ok(eth1.frames.length > 0)
  t.match(advertised(stage, daemon), [{ link: 'eth1', routerLifetime: 1800, mtu: 1500, servers: ['2001:db8:ffff::2'], domains: ['example.net'],
    prefixes: [{ prefix: '2001:db8::/64', autonomous: true, valid: 86_400, preferred: 14_400 }], otherRouters: [] }])
  goodManners(t, stage)
})

t.test('the default route comes and goes with that of this machine', async (t) => {
  const stage = await scene(t)
  const { proxy } = stage
  await stage.start(HOSTER)
  const guest = await addGuest(stage, 1)
  await ready(guest)
  const gone = (): boolean => !hasDefaultRoute(guest)
  proxy.ip('route del default')
  await until(gone)
  proxy.ip('route add default via 2001:db8::1')
  await until(() => !gone())
  proxy.sysctl({ 'conf/all/forwarding': 0 })
  await until(gone)
  proxy.sysctl({ 'conf/all/forwarding': 1 })
  proxy.ip('route replace default via 2001:db8::1')
  await until(() => !gone())
  proxy.ip('route del default')
  await sleep(300)
  proxy.ip('route add default via 2001:db8::1')
  await sleep(4000)
  t.ok(hasDefaultRoute(guest), 'also within 0.3 s')
})

t.test('as at home: the prefix, the MTU and servers of the upstream', async (t) => {
  const stage = await scene(t, [])
  const { proxy, server } = stage
  proxy.ip('addr flush dev eth0 scope global', 'route flush default')
  proxy.sysctl({ 'conf/eth0/accept_ra': 2 })
  advertise(stage, 'prefix 2001:db8::/64 { AdvValidLifetime 600; AdvPreferredLifetime 300; };',
    'AdvLinkMTU 1400; RDNSS 2001:db8:ffff::2 { AdvRDNSSLifetime 600; }; DNSSL home.example { AdvDNSSLLifetime 600; };')
  await until(() => proxy.show('route show default').length > 0)
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

t.test('a rogue router inside', async (t) => {
  const stage = await scene(t)
  const daemon = await stage.start(HOSTER)
  const guest = await addGuest(stage, 1)
  await ready(guest)
  const rogue = await addGuest(stage, 9)
  const file = join(stage.lab.directory, 'rogue')
  rogue.sysctl({ 'conf/all/forwarding': 1 })
  writeFileSync(`${file}.conf`, 'interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix fd00:bad::/64 { }; };\n')
  rogue.spawn(['radvd', '-n', '-C', `${file}.conf`, '-p', `${file}.pid`])
  const said = () => daemon.records.filter(({ event }) => event === 'router')
  await until(() => said().length > 0)
  await sleep(8000)
  t.match(said(), [{ iface: 'eth1', target: rogue.linkLocal('eth0'), msg: /sends Router Advertisements, too/ }], 'said once')
  t.match(guest.run(['rdisc6', '-1', '-w', '3000', 'eth0']), /from fe80::/)
  t.match(advertised(stage, daemon), [{ otherRouters: [{ address: rogue.linkLocal('eth0'), forged: false }] }])
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
})

t.test('a flood of forged advertisements is one event, and costs no memory', async (t) => {
  if (spawnSync('atk6-flood_router26').error !== undefined) {
    t.pass('thc-ipv6 is not installed')
    return
  }
  const stage = await scene(t)
  const daemon = await stage.start(HOSTER, { isBare: true })
  const guest = await addGuest(stage, 1)
  const attacker = await addGuest(stage, 9)
  await ready(guest)
  const before = daemon.memory()
  attacker.exec('sh', '-c', 'timeout 3 atk6-flood_router26 eth0 >/dev/null 2>&1 || :')
  await sleep(1000)
  const events = daemon.records.filter(({ event }) => event === 'router')
  t.ok(events.length <= 1, `${events.length} events`)
  t.ok(daemon.memory() - before < 20, `${before.toFixed(1)} to ${daemon.memory().toFixed(1)} MiB`)
  t.ok(advertised(stage, daemon)[0].otherRouters.length <= 8)
})
