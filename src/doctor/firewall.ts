/** Firewall rules that drop Neighbor Discovery (RFC 4861) or Multicast Listener Discovery (RFC 2710, RFC 3810); see RFC 4890 4.4.1. */
import { type Check, configured, type Configured, type Finding, type Result, word } from './check.ts'
import { type Chain, drops, type Packet } from './firewall-chains.ts'
import { parseSave } from './ip6tables.ts'
import { ProgramError } from './programs.ts'
import { parseRuleset, type Ruleset } from './nft-ruleset.ts'
import { linksOf } from './roles.ts'

/** The most links for which the rules are evaluated. */
const LINKS = 32

interface Protocol {
  readonly name: string
  readonly types: Readonly<Record<number, string>>
  readonly hopLimit: number
  /** The types as nft(8) writes them. */
  readonly set: string
  readonly why: string
}

const ND: Protocol = {
  name: 'Neighbor Discovery', hopLimit: 255, set: '133-137',
  types: {
    133: 'router solicitations', 134: 'router advertisements', 135: 'neighbor solicitations', 136: 'neighbor advertisements', 137: 'redirects',
  },
  why: 'the kernel cannot find the link-layer addresses of routers and hosts, or its routers, so it delivers nothing to them',
}
const MLD: Protocol = {
  name: 'MLD', hopLimit: 1, set: '{ 130-132, 143 }',
  types: { 130: 'queries', 131: 'reports', 132: 'done messages', 143: 'version 2 reports' },
  why: 'switches with MLD snooping forget the groups of this machine, and then withhold solicitations from it',
}

/** Reads the chains of all tables. @throws ProgramError */
async function chainsOf({ machine }: Configured): Promise<Ruleset> {
  const ruleset = parseRuleset(await machine.run('nft', '-j', 'list', 'ruleset'))
  if (!ruleset.hasExtensions) return ruleset
  // Only ip6tables-save shows the details of the matches of ip6tables-nft. nft shows none.
  const tables = parseSave(await machine.run('ip6tables-save'))
  return { hasExtensions: true, chains: [...ruleset.chains.filter(({ family, isExtended }) => family !== 'ip6' || !isExtended), ...tables] }
}

/** Keeps the ruleset of each `Machine`, so that several checks read the chains once. */
const rulesets = new WeakMap<object, Promise<Ruleset>>()

async function look(subject: Configured, protocol: Protocol): Promise<Result> {
  try {
    let ruleset = rulesets.get(subject.machine)
    if (ruleset === undefined) rulesets.set(subject.machine, ruleset = chainsOf(subject))
    const { chains } = await ruleset
    const links = linksOf(subject.config, subject.machine).slice(0, LINKS).map(({ name }) => name)
    return chains.flatMap((chain) => findingOf(chain, chains, links, protocol))
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error
    return { unknown: error.message, how: error.reason === 'missing'
      ? `apt install ${error.message.startsWith('nft ') ? 'nftables' : 'iptables'}` : 'sudo ndp6d doctor' }
  }
}

function findingOf(chain: Chain, all: readonly Chain[], links: readonly string[], { name, types, hopLimit, set, why }: Protocol): Finding[] {
  const { hook, family, table, device } = chain
  if (hook === undefined) return []
  const isOut = hook === 'output' || hook === 'postrouting'
  const dropped = new Set<number>()
  const where = new Set<string>()
  for (const link of device === undefined ? links : links.filter((each) => device.includes(each))) {
    for (const type of Object.keys(types).map(Number)) {
      // Frames of a bridge come in on its ports, which the configuration does not name, so the link stays unknown.
      const packet: Packet = { type, hopLimit, ...family === 'bridge' ? {} : isOut ? { out: link } : { in: link } }
      if (!drops(chain, all, packet)) continue
      dropped.add(type)
      where.add(link)
    }
  }
  if (dropped.size === 0) return []
  const list = [...dropped].map((type) => `${types[type]} (${type})`).join(', ')
  const links_ = where.size === links.length ? '' : `${isOut ? ' to' : ' from'} ${[...where].join(', ')}`
  const what = `the chain ${chain.name} of the table ${family} ${table} drops messages of ${name}${links_}: ${list}`
  const mend = chain.isExtended ? `ip6tables -t ${word(table)} -I ${word(chain.name)} -p ipv6-icmp -m hl --hl-eq ${hopLimit} -j ACCEPT`
    : `nft insert rule ${family} ${word(table)} ${word(chain.name)} icmpv6 type ${set.includes('{') ? `'${set}'` : set} accept`
  return [{ what, why, mend, ...where.size === 1 && { link: [...where][0] } }]
}

/** @returns whether a rule certainly drops Neighbor Discovery, so that no neighbor can reply */
export async function dropsDiscovery(subject: Configured): Promise<boolean> {
  const result = await look(subject, ND)
  return !('unknown' in result) && result.length > 0
}

export const firewallChecks: readonly Check[] = [
  configured({ code: 'firewall-nd', severity: 'error', title: 'no firewall rule drops Neighbor Discovery (ICMPv6 133 to 137)' },
    (subject) => look(subject, ND)),
  configured({ code: 'firewall-mld', severity: 'warning', title: 'no firewall rule drops MLD (ICMPv6 130 to 132, and 143)' },
    (subject) => look(subject, MLD)),
]
