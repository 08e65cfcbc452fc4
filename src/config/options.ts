/**
 * The one table of the language: every statement, where it may stand, its type and what it sets. Parser, schema and
 * printer read it. The words are ndppd 0.2.6's; what is new stands in a subnet or at the top.
 */
import type { Settings } from './config.ts'
import { nearest } from './suggest.ts'

export type Where = 'top' | 'proxy' | 'subnet' | 'rule'

/** How values are read. `flag`: presence counts, as in 0.2.x. `unused`: without effect. A list: one of its words. */
export type Type =
  | 'block' | 'include' | 'ifaces' | 'iface' | 'host' | 'prefixes' | 'endpoint'
  | 'bool' | 'time' | 'count' | 'flag' | 'unused' | readonly string[]

export interface Option {
  readonly where: readonly Where[]
  readonly type: Type
  readonly sets?: keyof Settings | 'forwarding' | 'grace' | 'metrics' | 'autovia'
  /** Smallest count. */
  readonly min?: number
}

const BOTH = ['proxy', 'subnet'] as const

export const OPTIONS: ReadonlyMap<string, Option> = new Map<string, Option>(Object.entries({
  forwarding: { where: ['top'], type: 'bool', sets: 'forwarding' },
  grace: { where: ['top'], type: 'time', sets: 'grace' },
  metrics: { where: ['top'], type: 'endpoint', sets: 'metrics' },
  'route-ttl': { where: ['top'], type: 'unused' },
  'address-ttl': { where: ['top'], type: 'unused' },
  include: { where: ['top'], type: 'include' },
  proxy: { where: ['top'], type: 'block' },
  subnet: { where: ['top'], type: 'block' },

  upstream: { where: ['subnet'], type: 'iface' },
  downstream: { where: ['subnet'], type: 'ifaces' },
  host: { where: ['subnet'], type: 'host' },
  exclude: { where: ['subnet'], type: 'prefixes' },
  learn: { where: ['subnet'], type: 'bool', sets: 'learn' },
  routes: { where: ['subnet'], type: 'bool', sets: 'routes' },

  router: { where: BOTH, type: 'bool', sets: 'router' },
  timeout: { where: BOTH, type: 'time', sets: 'timeout' },
  ttl: { where: BOTH, type: 'time', sets: 'ttl' },
  deadtime: { where: BOTH, type: 'time', sets: 'deadtime' },
  retries: { where: BOTH, type: 'count', sets: 'retries' },
  keepalive: { where: BOTH, type: 'bool', sets: 'keepalive' },
  autowire: { where: ['proxy'], type: 'bool', sets: 'routes' },
  promiscuous: { where: BOTH, type: 'bool', sets: 'promiscuous' },
  limit: { where: BOTH, type: 'count', sets: 'limit', min: 1 },
  'host-limit': { where: BOTH, type: 'count', sets: 'hostLimit', min: 1 },
  'probe-limit': { where: BOTH, type: 'count', sets: 'probeLimit', min: 1 },
  override: { where: BOTH, type: ['auto', 'always', 'never'], sets: 'override' },
  source: { where: BOTH, type: ['link-local', 'global', 'target'], sets: 'source' },
  announce: { where: BOTH, type: ['no', 'yes', 'solicit'], sets: 'announce' },
  snooping: { where: BOTH, type: ['no', 'mirror', 'mrd'], sets: 'snooping' },
  rule: { where: ['proxy'], type: 'block' },

  static: { where: ['rule'], type: 'flag' },
  auto: { where: ['rule'], type: 'flag' },
  iface: { where: ['rule'], type: 'ifaces' },
  autovia: { where: ['rule'], type: 'bool', sets: 'autovia' },
} as const satisfies Record<string, Option>))

/** Words of ndppd's other branches: what to do instead. */
const FOREIGN: ReadonlyMap<string, string> = new Map(Object.entries({
  'use-kernel': 'ndp6d answers by itself and needs no kernel proxy entries',
  target: 'advertisements carry the address of the link they leave by',
  target_hwaddr: 'advertisements carry the address of the link they leave by',
  rewrite: 'ndp6d does not translate addresses; nftables does',
  table: '`auto` asks the kernel, which follows your policy routing',
  'valid-ttl': 'write `ttl` in the proxy block',
  'invalid-ttl': 'write `deadtime` in the proxy block',
  renew: 'write `keepalive` in the proxy block',
  'retrans-limit': 'write `retries` in the proxy block',
  'retrans-time': 'write `timeout` in the proxy block',
  outgoing: 'host routes (`autowire`, or `routes` in a subnet) carry the traffic of this machine itself',
}))

/** Whether `key` takes one value or many; undefined for unknown words. */
export function arity(key: string): 'one' | 'many' | undefined {
  switch (OPTIONS.get(key)?.type) {
    case undefined: return undefined
    // Of these only one is right as well, but the others on the line belong to the same mistake.
    case 'block': case 'iface': return 'many'
    case 'include': case 'ifaces': case 'host': case 'prefixes': return 'many'
    default: return 'one'
  }
}

/** The words that may stand in a block. */
export function wordsOf(where: Where): readonly string[] {
  return [...OPTIONS].filter(([, option]) => option.where.includes(where)).map(([word]) => word)
}

const PLACES: Readonly<Record<Where, string>> = {
  top: 'outside of all blocks', proxy: 'in a `proxy` block', subnet: 'in a `subnet` block', rule: 'in a `rule` block',
}

/** What is wrong with `key` standing in `where`, and what to do; undefined when it may stand there. */
export function misfit(key: string, where: Where): { message: string; hint: string | undefined } | undefined {
  const option = OPTIONS.get(key)
  if (option?.where.includes(where)) return undefined
  const here = PLACES[where]
  if (option !== undefined) {
    const places = option.where.map((place) => PLACES[place]).join(' or ')
    const message = `\`${key}\` has no meaning ${here}: expected it ${places}`
    if (where === 'subnet' && key === 'autowire') return { message, hint: 'in a subnet this is `routes`' }
    return { message, hint: option.where[0] === 'top' ? 'is a `}` missing before it?' : undefined }
  }
  const foreign = FOREIGN.get(key)
  if (foreign !== undefined) return { message: `\`${key}\` of another ndppd is not supported`, hint: foreign }
  const words = wordsOf(where)
  const near = nearest(key, words) ?? nearest(key, OPTIONS.keys())
  const hint = near !== undefined ? `did you mean \`${near}\`?` : `known words: ${words.join(', ')}`
  return { message: `\`${key.slice(0, 60)}\` is not known ${here}`, hint }
}
