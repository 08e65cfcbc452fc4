/**
 * Runs this program again in network and mount namespaces of its own, so that neither tests nor the demo can touch
 * the machine's network: unshare(1), network_namespaces(7), user_namespaces(7). Inside, /run is an empty tmpfs of ours.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { constants } from 'node:os'

/** Names the network namespace that the outer process is in; inside is where ours differs from it. */
const OUTSIDE = 'NDP6D_LAB_OUTSIDE'
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

function netns(): string {
  return readlinkSync('/proc/self/ns/net')
}

/** Whether the namespaces are user namespaces' own: then `nsenter` needs -U to enter them. */
export function inUserNamespace(): boolean {
  return process.env.NDP6D_LAB_USERNS === '1'
}

/**
 * Returns at once inside. Outside it runs the present program, with the same arguments, in new namespaces: plain ones
 * as root, in a user namespace otherwise, and ends with its exit status. It never returns there.
 */
export async function enterNamespaces(): Promise<void> {
  const outside = process.env[OUTSIDE]
  if (outside !== undefined && outside !== netns()) return
  const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`
  const ways = process.getuid?.() === 0 ? ['-nm', '-Urnm'] : ['-Urnm']
  const refusals: string[] = []
  const way = ways.find((flags) => {
    const probe = spawnSync('unshare', [flags, 'sh', '-c', SETUP, 'sh', 'true'],
      { encoding: 'utf8', env: { ...process.env, PATH } })
    refusals.push(`unshare ${flags}: ${probe.error?.message ?? probe.stderr.trim()}`)
    return probe.status === 0
  })
  if (way === undefined) {
    process.stderr.write(`${refusals.join('\n')}\n${HELP}`)
    process.exit(1)
  }
  const env = { ...process.env, PATH, [OUTSIDE]: netns(), NDP6D_LAB_USERNS: way === '-nm' ? '0' : '1' }
  const child = spawn('unshare', [way, 'sh', '-c', SETUP, 'sh', process.execPath, ...process.argv.slice(1)],
    { stdio: 'inherit', env })
  process.on('SIGINT', () => {})   // a terminal sends it to the child as well
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
  await new Promise<never>(() => {})
}
