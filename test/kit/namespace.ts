/**
 * Network namespaces for tests, so that none of them touches the machine's network: unshare(1), network_namespaces(7),
 * user_namespaces(7). {@link enterNamespaces} is for programs, {@link ownNamespace} for test files that run side by side.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'

/** Variable that holds the outer process' network namespace. A process with another one is inside. */
const OUTSIDE = 'NDP6D_LAB_OUTSIDE'
/** Set in a namespace made by {@link ownNamespace}. */
const OWN = 'NDP6D_TEST_OWN_NAMESPACE'
const SETUP = 'mount -t tmpfs -o mode=0755 tmpfs /run && ip link set lo up && exec setpriv --pdeathsig TERM "$@"'

const HELP = `
This needs network namespaces of its own, and could not make them (the reason is above). Either
  - run it as root: sudo npm start, sudo npm test (in a container: --cap-add SYS_ADMIN --cap-add NET_ADMIN), or
  - allow ordinary users to make namespaces:
      sysctl -w kernel.unprivileged_userns_clone=1               (Debian, where it exists)
      sysctl -w kernel.apparmor_restrict_unprivileged_userns=0   (Ubuntu 23.10 and later)
      sysctl -w user.max_user_namespaces=10000                   (where it is 0)
The programs it uses: unshare, nsenter, setpriv, mount (util-linux) and ip (iproute2).
`

function netns(): string { return readlinkSync('/proc/self/ns/net') }

/** @returns whether the namespaces belong to a user namespace: then `nsenter` needs -U to enter them */
export function inUserNamespace(): boolean { return process.env.NDP6D_LAB_USERNS === '1' }

/**
 * Returns at once inside. Outside, runs the present program with the same arguments in new network and mount namespaces, and ends
 * with its exit status. Root gets plain namespaces, everyone else a user namespace. Inside, /run is an empty tmpfs.
 */
export async function enterNamespaces(): Promise<void> {
  const outside = process.env[OUTSIDE]
  if (outside !== undefined && outside !== netns()) return
  const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`
  const ways = process.getuid?.() === 0 ? ['-nm', '-Urnm'] : ['-Urnm']
  const refusals: string[] = []
  const way = ways.find((flags) => {
    const probe = spawnSync('unshare', [flags, 'sh', '-c', SETUP, 'sh', 'true'], { encoding: 'utf8', env: { ...process.env, PATH } })
    refusals.push(`unshare ${flags}: ${probe.error?.message ?? probe.stderr.trim()}`)
    return probe.status === 0
  })
  if (way === undefined) {
    process.stderr.write(`${refusals.join('\n')}\n${HELP}`)
    process.exit(1)
  }
  const env = { ...process.env, PATH, [OUTSIDE]: netns(), NDP6D_LAB_USERNS: way === '-nm' ? '0' : '1' }
  const child = spawn('unshare', [way, 'sh', '-c', SETUP, 'sh', process.execPath, ...process.argv.slice(1)], { stdio: 'inherit', env })
  process.on('SIGINT', () => {})   // a terminal signals the child as well
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
  await new Promise<never>(() => {})
}

/** Returns inside a network namespace, and with an empty /run, for this program alone. Outside, runs it there and ends with its status. */
export async function ownNamespace(): Promise<void> {
  await enterNamespaces()
  if (process.env[OWN] !== undefined) return
  const child = spawn('unshare', ['-nm', 'sh', '-c', SETUP, 'sh', process.execPath,
    ...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit', env: { ...process.env, [OWN]: '1' } })
  process.on('SIGTERM', () => child.kill())
  child.on('exit', (code) => process.exit(code ?? 1))
  await new Promise<never>(() => {})
}

/** Runs a shell command line. @returns its stdout @throws Error with its stderr when it fails */
export function sh(command: string): string {
  return execFileSync('sh', ['-ec', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 26 })
}

/** @returns the packet sockets of this network namespace, by inode, which is the last column of packet(7)'s table */
export function packetSockets(): string[] {
  return readFileSync('/proc/self/net/packet', 'latin1').trim().split('\n').slice(1).map((line) => /(\d+)\s*$/.exec(line)![1])
}

/** @returns the command of ip(8) that makes a veth pair; an end is its name, then perhaps `address MAC`, `index N`, `netns PID` */
export function pairOf(a: string, b: string): string { return `link add ${a} type veth peer name ${b}` }

/** Makes a veth pair as {@link pairOf} says, with both ends up. @param silent ends without IPv6, so that the kernel sends nothing there */
export function veth(a: string, b: string, ...silent: readonly string[]): void {
  const names = [a, b].map((end) => end.split(' ')[0])
  sh([`ip ${pairOf(a, b)}`, ...silent.map((name) => `echo 1 >/proc/sys/net/ipv6/conf/${name}/disable_ipv6`),
    ...names.map((name) => `ip link set ${name} up`)].join('\n'))
}
