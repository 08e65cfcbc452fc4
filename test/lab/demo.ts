/**
 * `npm start`: a router, a proxy and three VMs in network namespaces, the real daemon with five lines of configuration, real traffic,
 * and every solicitation and advertisement on both links. It touches nothing of this machine. It needs Node, iproute2 and util-linux;
 * an ordinary user also needs user namespaces.
 *
 * `npm start -- --keep` leaves all of it up, until Enter or a signal. Exit status 0 when every datagram came through.
 */
import { Daemon, parseRecord } from './kit/daemon.ts'
import { type CapturedFrame, type Host, Lab } from './kit/lab.ts'
import { buildTopology, CONFIG, PROXY, ROUTER, SERVER, type Topology, vmAddress } from './kit/topology.ts'
import { enterNamespaces, inUserNamespace } from '../kit/namespace.ts'

const PICTURE = `
  server ---- router ==== eth0 [proxy] eth1 ==== vm2   vm3   vm4 (later)
              ::1         ::ff/64                ::2   ::3   ::4
              2001:db8::/64 on both sides; the default route of the VMs is 2001:db8::1
`

interface Row { readonly from: string; readonly to: string; readonly sent: number; readonly received: number
  readonly lost: number; readonly longestGap: number }

const start = performance.now()
const rows: Row[] = []
let good = true

function print(text = ''): void { process.stdout.write(`${text}\n`) }

/** Handles an interruption: ends the demo, or, while it is kept up, goes on to its end. */
let interrupt = (): void => { lab.close().finally(() => process.exit(130)) }

function step(text: string): void { print(`\n${((performance.now() - start) / 1000).toFixed(2)} s  ${text}`) }

function check(what: string, holds: boolean): void {
  print(`  ${holds ? 'yes' : 'NO '}  ${what}`)
  good &&= holds
}

/** Prints the solicitations and advertisements on one link of the proxy, each once per step. */
async function narrate(proxy: Host, iface: string, names: ReadonlyMap<string, string>, printed: Set<string>) {
  const capture = await proxy.capture(iface)
  const name = (mac: string) => names.get(mac) ?? mac
  capture.onFrame = ({ kind, from, to, target, lladdr }: CapturedFrame) => {
    if ((kind !== 'NS' && kind !== 'NA') || !target.startsWith('2001:db8:')) return
    const what = kind === 'NS' ? `who has ${target}?` : `to ${name(to)}: ${target} is at ${lladdr || from}`
    const line = `  ${iface}  ${name(from).padEnd(6)}  ${what}`
    if (printed.has(line)) return
    printed.add(line)
    print(line)
  }
}

async function exchange(pairs: readonly (readonly [Host, string, string])[]): Promise<void> {
  rows.push(...await Promise.all(pairs.map(async ([host, name, to]) =>
    ({ from: host.name, to: name, ...await host.traffic(to, { rate: 50, seconds: 1, patience: 5000 }) }))))
  for (const row of rows.slice(-pairs.length)) {
    check(`${row.from} to ${row.to}: ${row.received} of ${row.sent} datagrams came back`, row.lost === 0)
  }
}

function printTable(): void {
  const table = [['from', 'to', 'sent', 'received', 'lost', 'longest gap'], ...rows.map((row) =>
    [row.from, row.to, row.sent, row.received, row.lost, `${row.longestGap} ms`])]
  print()
  for (const [from, to, ...numbers] of table) {
    const columns = numbers.map((n, i) => String(n).padStart(i < 3 ? 10 : 14)).join('')
    print(`  ${String(from).padEnd(8)}${String(to).padEnd(8)}${columns}`)
  }
}

async function keep(hosts: readonly Host[]): Promise<void> {
  step('kept up until Enter, Ctrl-C or SIGTERM. To enter a namespace:')
  const user = inUserNamespace() ? ' --user --preserve-credentials' : ''
  for (const host of hosts) print(`  ${host.name.padEnd(8)}nsenter --target ${host.pid}${user} --net`)
  await new Promise<void>((resolve) => {
    interrupt = resolve
    process.stdin.once('data', () => resolve())
  })
  process.stdin.pause()
}

async function play(lab: Lab): Promise<void> {
  print(`ndp6d: one /64 on both sides of a proxy\n${PICTURE}`)
  const topology: Topology = await buildTopology(lab)
  const { server, router, proxy, vms: [vm2, vm3] } = topology
  const names = new Map([[router.mac('eth0'), 'router'], [proxy.mac('eth0'), 'proxy'], [proxy.mac('eth1'), 'proxy'],
    [vm2.mac('eth0'), 'vm2'], [vm3.mac('eth0'), 'vm3'], ['33:33:00:00:00:01', 'all']])
  const printed = new Set<string>()
  await Promise.all(['eth0', 'eth1'].map((iface) => narrate(proxy, iface, names, printed)))

  step('without ndp6d')
  // The first datagrams may be sent while the links are still coming up.
  const { received } = await router.traffic(PROXY, { rate: 10, seconds: 1, patience: 1000 })
  check('the router reaches the proxy, its neighbor', received > 0)
  check('the server cannot reach vm2: no host answers for it', !await server.reaches(vmAddress(2), 200))
  printed.clear()

  step('ndp6d --config ndp6d.conf')
  for (const line of CONFIG.trimEnd().split('\n')) print(`  | ${line}`)
  const daemon = new Daemon(lab, proxy, CONFIG)
  daemon.proc.onLine = (line) => print(`  ndp6d: ${parseRecord(line).msg}`)
  await daemon.ready()

  step('datagrams both ways')
  printed.clear()
  await exchange([[server, 'vm2', vmAddress(2)], [server, 'vm3', vmAddress(3)], [vm2, 'server', SERVER],
    [vm3, 'server', SERVER], [vm2, 'router', ROUTER]])

  step('a third VM appears')
  printed.clear()
  const vm4 = await topology.addVm(4)
  names.set(vm4.mac('eth0'), 'vm4')
  await exchange([[server, 'vm4', vmAddress(4)], [vm4, 'server', SERVER], [vm4, 'vm2', vmAddress(2)]])
  const routes = proxy.ourRoutes()
  check(`host routes on the proxy: ${routes.join(' ')}`, routes.join() === [2, 3, 4].map(vmAddress).join())
  if (process.argv.includes('--keep')) await keep([server, router, proxy, vm2, vm3, vm4])

  step('systemctl stop ndp6d (SIGTERM)')
  check('it ended with status 0', await daemon.stop() === 0)
  const left = proxy.show('route show proto 136')
  check(left.length === 0 ? 'no route is left' : `its ${left.length} routes expire by themselves`,
    left.every((route) => Number(route.expires) > 0))
  printTable()
}

await enterNamespaces()
const lab = Lab.create()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt())
process.stdout.on('error', () => interrupt())      // npm start | head
try {
  await play(lab)
} catch (error) {
  good = false
  print(`\n${error instanceof Error ? error.message : String(error)}`)
} finally {
  await lab.close()
}
print(`\n${good ? 'Every datagram came through.' : 'Something went wrong: see above.'}`
  + ` ${((performance.now() - start) / 1000).toFixed(1)} s, and nothing is left behind.`)
process.exit(good ? 0 : 1)
