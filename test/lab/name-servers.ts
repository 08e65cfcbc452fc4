/** Name servers and search domains of the upstream's radvd(8): all of them arrive at the hosts, each with its lifetime (RFC 8106). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { atHome } from './kit/guests.ts'
import { scene, until } from './kit/scene.ts'

const CONFIG = 'subnet auto {\n  upstream eth0\n  downstream eth1\n  router-advertisements yes\n}'
const RADVD = `interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix 2001:db8::/64 {};
  RDNSS fd00::53 fd00::54 { AdvRDNSSLifetime 600; }; RDNSS fd00::55 { AdvRDNSSLifetime 1200; };
  DNSSL home.example { AdvDNSSLLifetime 900; }; DNSSL lan.example { AdvDNSSLLifetime 300; }; };\n`

void t.test('several options in one advertisement of the upstream', async (t) => {
  const stage = await scene(t, [])
  const { lab, router, proxy, eth1 } = stage
  proxy.sysctl({ 'conf/eth0/accept_ra': 2 })
  const daemon = await stage.start(CONFIG)
  const file = join(lab.directory, 'radvd')
  writeFileSync(`${file}.conf`, RADVD)
  router.spawn(['radvd', '-n', '-C', `${file}.conf`, '-p', `${file}.pid`])
  // Type, length, two reserved bytes, lifetime; then the servers, or the domains as labels.
  const server = (n: number): string => `fd0000000000000000000000000000${n}`
  const wanted = [
    { option: `19050000(0000....)${server(53)}${server(54)}`, lifetime: 600 },
    { option: `19030000(0000....)${server(55)}`, lifetime: 1200 },
    { option: '1f030000(0000....)04686f6d65076578616d706c6500', lifetime: 900 },
    { option: '1f030000(0000....)036c616e076578616d706c6500', lifetime: 300 },
  ]
  for (const { option, lifetime } of wanted) {
    const found = await until(() => eth1.frames.filter(({ kind, outgoing }) => kind === 'RA' && outgoing)
      .map(({ hex }) => new RegExp(option).exec(hex)?.[1]).find((text) => text !== undefined))
    const seconds = Number.parseInt(found, 16)
    t.ok(seconds <= lifetime && seconds > lifetime - 20, `${seconds} of ${lifetime} s`)
  }
  await daemon.stop()
})

void t.test('an upstream that advertised itself before the start, and then only when solicited', async (t) => {
  const stage = await scene(t, [])
  const { proxy, eth0, eth1 } = stage
  // Without unsolicited advertisements. The first one is for rdisc6(8).
  const home = atHome(stage, 'UnicastOnly on; prefix 2001:db8::/64 { }; RDNSS fd00::53 { };')
  await until(() => proxy.exec('sh', '-c', 'rdisc6 -1 -r 1 -w 500 eth0 || :').includes('2001:db8::'))
  await home
  const before = eth0.of('RA').length
  await stage.start(CONFIG)
  await until(() => eth1.frames.some(({ kind, outgoing, hex }) => kind === 'RA' && outgoing && hex.includes('fd000000000000000000000000000053')))
  const solicitations = eth0.of('RS').filter(({ outgoing }) => outgoing)
  t.ok(solicitations.length > 0 && eth0.of('RA').length > before)
  for (const { source, destination, hopLimit } of solicitations) {
    t.match([source, destination, hopLimit], [/^fe80:/, 'ff02::2', 255])
  }
})
