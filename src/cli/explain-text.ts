/** The text of `ndp6d explain`: the verdict in words, then one line for each fact that it is based on. */
import type { Explained, ExplainedOwner, Place } from '../replies/explain.ts'
import { duration } from './format.ts'
import { table } from './table.ts'

/** Protocol of our host routes. */
const OUR_PROTOCOL = 136
/** Routing tables that are not named in the text: RT_TABLE_MAIN and RT_TABLE_LOCAL. */
const COMMON_TABLES = [254, 255]

export function printExplanation(explained: Explained): string {
  const lines = [
    [`${explained.address} ${verdict(explained)}`],
    table(details(explained), { left: 2, indent: '  ' }).trimEnd().split('\n'),
    history(explained),
    advice(explained),
  ]
  // Interface and file names may contain control characters.
  return `${lines.flat().filter((line) => line !== '').join('\n')}\n`.replace(/(?!\n)\p{Cc}/gu, '?')
}

/** @returns the end of a sentence that begins with the address */
function verdict({ reason, verdict, links, owner, own, kernel }: Explained): string {
  const on = (outcome: string): string => list(linksWith(links, outcome))
  const home = owner?.interface ?? 'its link'
  switch (reason) {
    case 'pinned': return `is answered on ${on('answered')} for the pinned host on ${home}.`
    case 'learned': return `is answered on ${on('answered')} for the host on ${home}.`
    case 'verifying': return `is answered on ${on('answered')} for the host on ${home}, which is being verified.`
    case 'static': return `is answered on ${on('answered')} by a static rule, whether or not a host has it.`
    case 'own-address-elsewhere': return `is answered on ${on('answered')}: it is an address of this machine on ${list(own)}.`
    case 'own-address': return verdict !== 'silent' ? `is an address of this machine on ${list(own)}: the kernel answers there${
      on('answered') === '' ? '' : `, and ndp6d on ${on('answered')}`}.`
      : own.every((iface) => iface === 'lo') ? 'is not answered: it is an address of this machine on lo, where no solicitation comes in, and no rule covers it.'
        : `is not answered: this machine cannot use it on ${list(own)}.`
    case 'proxy-entry': return `is answered by the kernel, which has a proxy entry on ${
      list(kernel!.proxies.filter(({ used }) => used).map((entry) => entry.interface))}.`
    case 'anycast': return verdict === 'silent' ? 'is not answered: it is an anycast address of routers.'
      : 'is an anycast address of this machine: the kernel answers.'
    case 'unknown': return 'is unknown: ndp6d looks for its host at the next solicitation.'
    case 'probing': return `is not answered yet: ndp6d looks for its host on ${list(owner!.probed)}.`
    case 'route-pending': return `is not answered yet: its route to ${home} is being set.`
    case 'failed': return `is not answered: no host on ${list(owner?.probed ?? [])} replied.`
    case 'excluded': return 'is not answered: the configuration excludes it.'
    case 'no-rule': return 'is not answered: no rule covers it.'
    case 'link-local': return 'is not answered: link-local addresses are never proxied.'
    case 'target-multicast': return 'is not answered: it is a multicast address, for which no host may solicit.'
    case 'foreign': return `is not answered: its host is on ${home}, but the kernel routes it elsewhere (\`ip -6 route get\`).`
    case 'unknown-host': return 'is not answered: with `learn no`, only addresses with a `host` line are answered for.'
    case 'no-source': return `is not answered: ${on('no-source')} has no usable address to answer from.`
    case 'no-candidate': return 'is not answered: no link on which its host may be is up.'
    case 'same-link': return `is not answered: its host is on ${home} itself, the only link with a rule.`
  }
}

function details({ reason, links, owner, host, excluded, kernel, probe }: Explained): string[][] {
  const rules = links.flatMap((link) => link.rules.map((rule) => ({ ...rule, on: link.interface })))
  const [first] = rules
  const rows: [string, string | undefined][] = [
    ['rule', first && `${first.kind === 'subnet' ? '' : `proxy ${first.on}, `}${first.kind} ${first.prefix}${at(first)}${
      links.some(({ rules }) => rules.length > 1) ? `, the first of ${Math.max(...links.map(({ rules }) => rules.length))} on a link` : ''}`],
    ['excluded', excluded === null ? undefined : `${excluded.prefix}${at(excluded)}`],
    ['host', host === null ? undefined : `named by the configuration${at(host)}`],
    ['owner', owner === null ? undefined : ownerText(owner)],
    ['claimed', owner?.claimedOn == null ? undefined : `on ${owner.claimedOn}${owner.claimedBy === null ? '' : ` by ${owner.claimedBy}`}`],
    ['next', owner === null ? undefined : next(owner)],
    ...links.map((link): [string, string | undefined] => ['search', reason !== 'unknown' || link.outcome !== 'probing' || link.probed.length === 0 ? undefined
      : `on ${list(link.probed)}, for solicitations on ${link.interface}`]),
    ['route', kernel === null ? undefined : routeText(kernel)],
    ...(kernel?.neighbors ?? []).map((entry): [string, string] =>
      ['neighbor', `${entry.lladdr ?? 'no link-layer address'} on ${entry.interface}, ${entry.state}, in the kernel`]),
    ...(kernel?.proxies ?? []).map((entry): [string, string] =>
      ['proxy', `entry of the kernel on ${entry.interface}${entry.used ? '' : ', without effect: proxy_ndp or forwarding is off there'}`]),
    ['groups', owner === null || owner.groups.length === 0 ? undefined : `its solicited-node group is joined on ${list(owner.groups)}`],
    ...(probe ?? []).map((reply): [string, string] => ['probe', reply.roundTripMs === null ? `no reply on ${reply.interface} within 1 s`
      : `${reply.lladdr ?? 'the host'} on ${reply.interface} replied in ${ms(reply.roundTripMs)}`]),
    ['probe', probe?.length === 0 ? 'not sent: there is no link where its host may be' : undefined],
  ]
  return rows.filter((row): row is [string, string] => row[1] !== undefined)
}

function ownerText({ state, interface: iface, lladdr, pinned, via, proxied, provedAt, probes, probed }: ExplainedOwner): string {
  if (state === 'INCOMPLETE') return `not found yet, ${count(probes, 'probe')} on ${list(probed)}`
  if (state === 'FAILED') return `none: ${probed.length === 0 ? 'no link to probe' : `${count(probes, 'probe')} on ${list(probed)} without a reply`}`
  const proof = pinned ? 'pinned' : provedAt === null ? 'of the previous run, to be verified' : `answered ${age(provedAt)} ago`
  const place = iface === null ? 'its link does not exist' : `${lladdr ?? 'no link-layer address yet'} on ${iface}`
  return `${place}${via === null ? '' : ` via ${via}`}, ${proof}${proxied ? ', by another proxy' : ''}${state === 'PROBE' ? ', being verified' : ''}`
}

function next({ state, nextAt, waiting }: ExplainedOwner): string | undefined {
  const at = nextAt === null ? undefined : duration(Math.max(0, (Date.parse(nextAt) - Date.now()) / 1000))
  const solicitors = waiting === 0 ? '' : `; ${count(waiting, 'solicitor')} waiting`
  if (at === undefined) return waiting === 0 ? undefined : solicitors.slice(2)
  switch (state) {
    case 'FAILED': return `not probed again for ${at}, unless the host sends a packet earlier`
    case 'REACHABLE': return `verified again in ${at}, or earlier if another host claims the address`
    default: return `next probe in ${at}${solicitors}`
  }
}

function routeText({ route, from }: NonNullable<Explained['kernel']>): string {
  const packets = from === null ? '' : `, for packets from ${from}`
  if (route === null) return `the kernel has none${packets}`
  const { prefix, type, interface: iface, via, protocol, metric, table } = route
  return [type === 'unicast' ? '' : type, prefix, via === null ? '' : `via ${via}`, iface === null ? '' : `dev ${iface}`,
    `proto ${protocol}${protocol === OUR_PROTOCOL ? ' (ndp6d)' : ''}`, metric === null ? '' : `metric ${metric}`,
    COMMON_TABLES.includes(table) ? '' : `table ${table}`].filter((part) => part !== '').join(' ') + packets
}

function history({ history }: Explained): string[] {
  if (history.length === 0) return ['No solicitation for it is remembered.']
  const rows = history.map(({ at, interface: iface, source, lladdr, mode, outcome, waitedMs }) =>
    [new Date(at).toTimeString().slice(0, 8) + at.slice(19, 23), iface, `${source}${lladdr === null ? '' : ` (${lladdr})`}`, mode,
      `${outcome}${waitedMs === null ? '' : ` after ${ms(waitedMs)}`}`])
  return ['Last solicitations', ...table(rows, { left: 5, indent: '  ' }).trimEnd().split('\n')]
}

function advice({ address, verdict, reason, owner, own, probe, links, kernel }: Explained): string {
  const iface = owner?.probed[0] ?? links.flatMap(({ probed }) => probed)[0]
  const route = kernel?.route
  // Hosts behind a router cannot reply to a probe, so the advice for them is an `auto` rule.
  const from = linksWith(links, 'failed').find((link) => link !== route?.interface)
  const isBehind = reason === 'failed' && route?.via != null && route.interface !== null && owner?.probed.includes(route.interface)
  if (isBehind && from !== undefined && route.prefix !== '::/0') {
    return `The kernel routes ${route.prefix} via ${route.via}: for hosts behind a router, add \`rule ${route.prefix} { auto }\` to a block \`proxy ${from}\``
  }
  const silent = linksWith(links, 'own-address').filter((link) => !own.includes(link))
  if (verdict === 'kernel-answers' && reason === 'own-address' && silent.length > 0) {
    return `Nothing answers for it on ${list(silent)}, because no rule there leads to ${list(own)}: name ${list(own)} in the rule, or give the `
      + 'address to lo'
  }
  if (reason === 'no-rule' && address !== '::') return `A \`subnet\` or \`proxy\` block that contains ${address} would answer for it: \`man ndp6d.conf\``
  if (reason === 'failed' && iface !== undefined) return `Is the host on ${iface}, and does it have this address? \`ndp6d monitor --link ${iface}\``
  const canProbe = ['learned', 'pinned', 'unknown', 'verifying', 'probing'].includes(reason)
  return probe === null && canProbe ? `Solicit it now: \`ndp6d explain --probe ${address}\`` : ''
}

function at({ file, line }: Place): string { return file === null ? '' : ` (${file}:${line})` }
function age(time: string): string { return duration(Math.max(0, (Date.now() - Date.parse(time)) / 1000)) }
function ms(time: number): string { return `${time < 10 ? time.toFixed(2) : Math.round(time)} ms` }
function count(number: number, noun: string): string { return `${number} ${noun}${number === 1 ? '' : 's'}` }
/** @returns the links on which a solicitation would have this outcome */
function linksWith(links: Explained['links'], outcome: string): string[] {
  return links.filter((link) => link.outcome === outcome).map((link) => link.interface)
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
