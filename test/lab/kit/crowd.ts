/** Many silent hosts: namespaces without an agent, so that fifty of them cost little. */
import { pairOf } from '../../kit/namespace.ts'
import type { Bridge } from './lab.ts'
import { vmAddress } from './topology.ts'

const HOLD = 'cd /proc/sys/net/ipv6/conf && echo 0 >all/accept_dad && echo 0 >default/accept_dad '
  + '&& echo 0 >default/router_solicitations && ip link set lo up && echo here && exec sleep infinity'

/** Adds VMs to a bridge, without DAD. They end with the lab. */
export async function crowd(bridge: Bridge, numbers: readonly number[]): Promise<void> {
  const holders = numbers.map(() => bridge.spawn(['unshare', '-n', 'sh', '-c', HOLD]))
  await Promise.all(holders.map((holder) => holder.line(/here/)))
  // Explicit indexes as in `Lab.link`.
  bridge.ip(...numbers.flatMap((n, i) => [pairOf(`crowd${n} index ${1000 + 2 * i}`, `eth0 index ${1001 + 2 * i} netns ${holders[i].pid}`),
    `link set crowd${n} master br0`, `link set crowd${n} up`]))
  for (const [i, n] of numbers.entries()) {
    bridge.run(['nsenter', `--net=/proc/${holders[i].pid}/ns/net`, '--', 'ip', '-6', '-batch', '-'],
      `link set eth0 up\naddr add ${vmAddress(n)}/64 dev eth0 nodad\n`)
  }
}
