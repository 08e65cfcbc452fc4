/**
 * Keeps this machine a router (net.ipv6.conf.all.forwarding). With `forwarding yes` the settings are set again after another program
 * changed them. Without this statement, a warning is logged if forwarding is off. The kernel reports changes of `forwarding`
 * (RTM_NEWNETCONF, linux/netconf.h), but not of accept_ra. So with `forwarding yes` each report leads to a check of both. Of the
 * `forwarding` settings, only that of `all` decides whether the kernel forwards. The `forwarding` of a link decides whether the link acts
 * as a host or as a router in Neighbor Discovery.
 */
import { RTNLGRP_IPV6_NETCONF } from '../wire/rtnetlink.ts'
import { ChangedSettings } from './changed-settings.ts'
import type { Log } from './log.ts'
import { native } from './native.ts'
import { EventSocket, type OpenNetlink } from './netlink.ts'
import { NETLINK_ROUTE } from './rtnetlink.ts'
import { readSetting, type Setting, type SettingChange, writeSetting } from './sysctl.ts'

/** Milliseconds from a report to the check. Other programs may change several settings in a row: one check covers all these changes. */
const PAUSE = 1000

export interface ForwardingNeeds {
  /** Whether the configuration has `forwarding yes`. */
  readonly isEnabled: boolean
  /** Links whose default route must stay when forwarding is enabled. */
  readonly upstreams: readonly string[]
  /** Links in use. */
  readonly links: readonly string[]
}

export interface ForwardingOptions {
  /** Directory in which the former values of changed settings are kept; undefined: the values are not kept. */
  readonly state?: string | undefined
  /** Called at the start, and at once whenever a setting changed. Settings that cannot be read count as on. */
  readonly changed?: (isForwarding: boolean) => void
}

export class Forwarding {
  readonly #log: Log
  readonly #needs: () => ForwardingNeeds
  readonly #settings: ChangedSettings | undefined
  readonly #changed: (isForwarding: boolean) => void
  readonly #open: OpenNetlink
  #events: EventSocket | undefined
  #timer: NodeJS.Timeout | undefined
  /** Whether a warning about the present state was logged. */
  #isWarned = false

  constructor(log: Log, needs: () => ForwardingNeeds, { state, changed = () => {} }: ForwardingOptions = {}, open: OpenNetlink = native.openNetlink) {
    this.#log = log
    this.#changed = changed
    this.#needs = needs
    this.#settings = state === undefined ? undefined : new ChangedSettings(state,
      (message) => log.warn({ event: 'state-file', directory: state, reason: message }, message))
    this.#open = open
  }

  /** Watches the settings until {@link close}. @throws OsError */
  start(): void {
    const changed = (): void => {
      this.#timer ??= setTimeout(() => this.#check(), PAUSE)
      this.#changed(this.isOn ?? true)
    }
    this.#events = new EventSocket(this.#open, NETLINK_ROUTE, [RTNLGRP_IPV6_NETCONF], {
      message: changed, settled: () => {}, overrun: changed,
    })
    this.#changed(this.isOn ?? true)
  }

  /**
   * With `forwarding yes`, sets the settings. Otherwise warns if this machine does not forward. Called at the start, after a reload, and
   * for a new upstream.
   */
  prepare(): void {
    this.#isWarned = false
    const needs = this.#needs()
    if (needs.isEnabled) for (const change of this.#enable(needs)) this.#logChange(change)
    else this.#warn(needs)
  }

  /** Whether this machine forwards what comes in on the links in use; undefined if the settings cannot be read. */
  get isOn(): boolean | undefined { return forwards(this.#needs().links) }

  close(): void {
    this.#events?.close()
    clearTimeout(this.#timer)
  }

  #check(): void {
    this.#timer = undefined
    const needs = this.#needs()
    if (!needs.isEnabled) return this.#warn(needs)
    for (const change of this.#enable(needs)) {
      if (change.iface === 'all') this.#corrected(change)
      else this.#logChange(change)
    }
  }

  #enable({ upstreams }: ForwardingNeeds): readonly SettingChange[] {
    try {
      const changes = enableForwarding(upstreams)
      this.#settings?.add(changes)
      this.#isWarned = false
      return changes
    } catch (error) {
      if (!this.#isWarned) this.#log.warn({ event: 'forwarding-refused', reason: (error as Error).message }, `cannot change the forwarding settings: ${(error as Error).message}`)
      this.#isWarned = true
      return []
    }
  }

  #warn({ links }: ForwardingNeeds): void {
    const isForwarding = forwards(links) ?? true
    if (isForwarding && this.#isWarned) this.#log.info({ event: 'forwarding' }, 'this machine forwards IPv6 again')
    if (!isForwarding && !this.#isWarned) {
      this.#log.warn({ event: 'forwarding-off' }, 'this machine does not forward IPv6: packets for answered addresses will be dropped; '
        + 'write `forwarding yes` into the configuration, or run `sysctl -w net.ipv6.conf.all.forwarding=1`')
    }
    this.#isWarned = !isForwarding
  }

  #logChange({ iface, setting, from, to }: SettingChange): void {
    this.#log.info({ event: 'forwarding', iface }, `net.ipv6.conf.${iface}.${setting} set from ${from} to ${to}`)
  }

  #corrected({ iface, setting, from, to }: SettingChange): void {
    this.#log.warn({ event: 'forwarding-changed' }, `another program set net.ipv6.conf.${iface}.${setting} to ${from}: `
      + `it is ${to} again; if it is to stay ${from}, remove \`forwarding yes\``)
  }
}

/** @returns whether this machine forwards what comes in on the links; undefined if the settings cannot be read */
function forwards(links: readonly string[]): boolean | undefined {
  try {
    // Since Linux 6.17, a link with force_forwarding forwards even if forwarding of `all` is off.
    return readSetting('all', 'forwarding') !== 0
      || (links.length > 0 && links.every((link) => readSetting(link, 'force_forwarding') === 1))
  } catch {
    return undefined
  }
}

/**
 * Enables forwarding on all links, and sets accept_ra from 1 to 2 on the upstreams: with 1, a machine that forwards ignores Router
 * Advertisements. accept_ra is set first: when forwarding begins, the kernel removes the default routes of links whose accept_ra is not 2.
 * @returns the changes; empty when nothing had to be changed
 * @throws OsError
 */
export function enableForwarding(upstreams: readonly string[]): SettingChange[] {
  const changes: SettingChange[] = []
  const set = (iface: string, setting: Setting, from: number, to: number): void => {
    if (readSetting(iface, setting) !== from) return
    writeSetting(iface, setting, to)
    changes.push({ iface, setting, from, to })
  }
  for (const iface of upstreams) set(iface, 'accept_ra', 1, 2)
  set('all', 'forwarding', 0, 1)
  return changes
}
