/** The statement `forwarding` of the configuration: what it changes on the machine, and the warning without it. */
import type { Log } from './log.ts'
import { enableForwarding, readSetting } from './sysctl.ts'

/** Enables forwarding and logs the changed settings. @param upstreams links whose default route must survive */
export function forward(upstreams: readonly string[], log: Log): void {
  try {
    for (const { iface, setting, from, to } of enableForwarding(upstreams)) {
      log.info({ iface }, `net.ipv6.conf.${iface}.${setting} set from ${from} to ${to}`)
    }
  } catch (error) {
    log.warn({ err: error }, `cannot change the forwarding settings: ${(error as Error).message}`)
  }
}

/** Logs a warning if this machine does not forward IPv6. */
export function warnWithoutForwarding(log: Log): void {
  if (readSetting('all', 'forwarding') !== 0) return
  log.warn({}, 'this machine does not forward IPv6: packets for answered addresses will be dropped; '
    + 'write `forwarding yes` into the configuration, or run `sysctl -w net.ipv6.conf.all.forwarding=1`')
}
