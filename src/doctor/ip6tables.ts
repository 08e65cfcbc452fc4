/** Reads `ip6tables-save` (ip6tables-extensions(8)). */
import { matchesIface } from '../config/config.ts'
import { both, type Chain, not, type Packet, type Rule, type Truth, type Verdict } from './firewall-chains.ts'

const HOOKS: Readonly<Record<string, string>> = {
  INPUT: 'input', OUTPUT: 'output', FORWARD: 'forward', PREROUTING: 'prerouting', POSTROUTING: 'postrouting',
}
/** Protocols, as rules write them, that match a {@link Packet}. */
const ICMPV6 = ['ipv6-icmp', 'icmpv6', '58', 'all', '0']
const TYPES: Readonly<Record<string, number>> = {
  'router-solicitation': 133, 'router-advertisement': 134, 'neighbour-solicitation': 135, 'neighbor-solicitation': 135,
  'neighbour-advertisement': 136, 'neighbor-advertisement': 136, redirect: 137,
}

type Test = (packet: Packet) => Truth

/** Options that are no condition on the packet, with the number of their values. */
const NEUTRAL: Readonly<Record<string, number>> = { '-m': 1, '--match': 1, '--comment': 1, '--reject-with': 1, '-c': 2 }

/** @returns the test that an option stands for; undefined if the option is not modelled */
function testOf(option: string, value: string): Test | undefined {
  const pattern = value.replace(/\+$/, '*')
  switch (option) {
    case '-i': case '--in-interface': return (packet) => packet.in === undefined ? undefined : matchesIface(pattern, packet.in)
    case '-o': case '--out-interface': return (packet) => packet.out === undefined ? undefined : matchesIface(pattern, packet.out)
    case '-p': case '--protocol': return () => ICMPV6.includes(value)
    case '--icmpv6-type': {
      const type = TYPES[value] ?? Number(value.split('/')[0])
      return (packet) => value === 'any' || packet.type === type
    }
    case '--hl-eq': return ({ hopLimit }) => hopLimit === Number(value)
    case '--hl-lt': return ({ hopLimit }) => hopLimit < Number(value)
    case '--hl-gt': return ({ hopLimit }) => hopLimit > Number(value)
    // Neighbor Discovery and MLD messages are UNTRACKED, except Redirects. Here Redirects count as UNTRACKED as well.
    case '--ctstate': case '--state': return () => value.split(',').includes('UNTRACKED')
    default: return undefined
  }
}

export function parseSave(text: string): Chain[] {
  const chains: { chain: Chain; rules: Rule[] }[] = []
  let table = ''
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    if (line.startsWith(':')) {
      const [name, policy] = line.slice(1).split(' ')
      const rules: Rule[] = []
      chains.push({ rules, chain: { family: 'ip6', table, name, rules, isExtended: true, policy: policy === 'DROP' ? 'drop' : 'accept',
        hook: policy === '-' ? undefined : HOOKS[name] } })
    }
    const [, name, rest] = /^(?:\[\S+\] )?-A (\S+)(.*)$/.exec(line) ?? []
    chains.find(({ chain }) => chain.table === table && chain.name === name)?.rules.push(ruleOf(wordsOf(rest)))
  }
  return chains.map(({ chain }) => chain)
}

/** Splits a line into words, which may be quoted. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
}

function ruleOf(words: readonly string[]): Rule {
  const tests: Test[] = []
  let verdict: Verdict | undefined
  for (let i = 0, isNegated = false; i < words.length; i++) {
    const option = words[i]
    const value = words[i + 1] ?? ''
    if (option === '!') {
      isNegated = true
      continue
    }
    if (option === '-j' || option === '--jump') {
      verdict = verdictOf(value)
      // All further options belong to the target.
      break
    }
    if (option === '-g' || option === '--goto') {
      verdict = { goto: value }
      break
    }
    const test = testOf(option, value)
    if (test !== undefined) {
      const negated = isNegated
      tests.push((packet) => negated ? not(test(packet)) : test(packet))
      i++
    } else if (NEUTRAL[option] !== undefined) i += NEUTRAL[option]
    else if (option.startsWith('-')) tests.push(() => undefined)
    isNegated = false
  }
  return (packet) => ({ truth: tests.reduce((truth: Truth, test) => both(truth, test(packet)), true), verdict })
}

function verdictOf(target: string): Verdict | undefined {
  switch (target) {
    case 'ACCEPT': case 'NFQUEUE': case 'QUEUE': return 'accept'
    case 'DROP': case 'REJECT': return 'drop'
    case 'RETURN': return 'return'
    default: return /^[A-Z0-9]+$/.test(target) && TARGETS.includes(target) ? undefined : { jump: target }
  }
}

/** Targets that do not end a chain. An unknown target counts as a jump to a chain. A jump to a missing chain has no effect. */
const TARGETS = ['LOG', 'NFLOG', 'MARK', 'CONNMARK', 'CT', 'NOTRACK', 'TRACE', 'HL', 'TOS', 'DSCP', 'SET', 'AUDIT']
