/**
 * Tunnels between two hosts: links without link-layer addresses (NOARP, POINTOPOINT), as of tun devices, WireGuard, OpenVPN, ppp and
 * LTE modems. The link is gone when its program ends.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host, Lab } from './lab.ts'
import type { Proc } from './process.ts'

/** One end of a tunnel: the host, the name of its link, and `ip -6` commands that set the link up. */
export interface End {
  readonly host: Host
  readonly iface: string
  readonly setUp: readonly string[]
}

/** Makes the tunnel. @returns the programs that hold it */
export type Tunnel = (lab: Lab, left: End, right: End) => Promise<readonly Proc[]>

/** Makes two tun devices and passes packets from each to the other (linux/if_tun.h: TUNSETIFF with IFF_TUN and IFF_NO_PI). */
const RELAY = `
import fcntl, os, select, struct, sys
def tun(name):
    fd = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name.encode(), 0x1001))
    return fd
left, right = tun(sys.argv[1]), tun(sys.argv[2])
print('made', flush=True)
other = {left: right, right: left}
while True:
    for fd in select.select(list(other), [], [])[0]:
        try: os.write(other[fd], os.read(fd, 65535))
        except OSError: pass
`

export const tun: Tunnel = async (_lab, left, right) => {
  const relay = left.host.spawn(['python3', '-c', RELAY, left.iface, 'moves'])
  await relay.line(/made/)
  left.host.exec('ip', 'link', 'set', 'moves', 'netns', String(right.host.pid), 'name', right.iface)
  for (const { host, iface, setUp } of [left, right]) host.ip(`link set ${iface} up`, ...setUp)
  return [relay]
}

const PORT = 51820

/** WireGuard in user space (wireguard-go(1)), over a link of its own. Its sockets in /run are hidden from other labs. */
export const wireguard: Tunnel = async (lab, left, right) => {
  const underlay = ['fd00:ffff::1', 'fd00:ffff::2']
  const ends = [left, right]
  const privateKeys = ends.map(() => execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim())
  const publicKeys = privateKeys.map((key) => execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: key }).trim())
  if (!left.host.show('link show').some(({ ifname }) => ifname === 'under0')) {
    lab.link(left.host, 'under0', right.host, 'under0')
    ends.forEach(({ host }, i) => host.ip(`addr add ${underlay[i]}/64 dev under0 nodad`))
  }
  return Promise.all(ends.map(async ({ host, iface, setUp }, i) => {
    const file = join(lab.directory, `${host.name}-${iface}.conf`)
    writeFileSync(file, [`[Interface]\nPrivateKey = ${privateKeys[i]}\nListenPort = ${PORT}`,
      `[Peer]\nPublicKey = ${publicKeys[1 - i]}\nAllowedIPs = ::/0\nEndpoint = [${underlay[1 - i]}]:${PORT}\n`].join('\n'))
    const proc = host.spawn(['unshare', '-m', 'sh', '-c', `mount -t tmpfs tmpfs /run && mkdir /run/wireguard && {
      (until wg setconf ${iface} ${file} 2>/dev/null; do sleep 0.1; kill -0 $$ || exit; done; echo made) & exec wireguard-go -f ${iface}; }`])
    await proc.line(/^made/)
    host.ip(`link set ${iface} up`, ...setUp)
    return proc
  }))
}
