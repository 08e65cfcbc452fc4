/** The statement `forwarding`: what it asks of the machine, and what is said without it. */
import type { Logger } from 'pino'
import { enableForwarding, readSetting } from './linux/sysctl.ts'

/** Lets this machine forward, and says what that changed. @param upstreams whose default route is to survive it */
export function forward(upstreams: readonly string[], log: Logger): void {
  try {
    for (const { iface, setting, from, to } of enableForwarding(upstreams)) {
      log.info({ iface }, `net.ipv6.conf.${iface}.${setting} set from ${from} to ${to}`)
    }
  } catch (error) {
    log.warn({ err: error as Error }, `cannot change the forwarding settings: ${(error as Error).message}`)
  }
}

export function warnWithoutForwarding(log: Logger): void {
  if (readSetting('all', 'forwarding') !== 0) return
  log.warn('this machine does not forward IPv6: answers will lead to packets that go nowhere; '
    + 'write `forwarding yes` into the configuration, or run `sysctl -w net.ipv6.conf.all.forwarding=1`')
}
