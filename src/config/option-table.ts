/** Table of all statements: where each may stand, its type and the field it sets. Statements of ndppd 0.2.6 keep their names. */
import type { Settings } from './config.ts'
import type { Code } from './diagnostic.ts'
import { nearest } from './suggest.ts'

export type Where = 'top' | 'proxy' | 'subnet' | 'rule'

/** Types of values. A `flag` is set by its presence, as in ndppd 0.2.x. `unused` has no effect. A list type has the possible values. */
export type Type =
  | 'block' | 'include' | 'ifaces' | 'iface' | 'host' | 'prefixes' | 'addresses' | 'domains' | 'endpoint'
  | 'bool' | 'time' | 'count' | 'flag' | 'unused' | readonly string[]

export interface Option {
  readonly where: readonly Where[]
  readonly type: Type
  readonly sets?: keyof Settings | 'forwarding' | 'grace' | 'metrics' | 'autovia'
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
  'router-advertisements': { where: ['subnet'], type: 'bool', sets: 'routerAdvertisements' },
  'default-route': { where: ['subnet'], type: ['auto', 'always'], sets: 'defaultRoute' },
  dns: { where: ['subnet'], type: 'addresses' },
  search: { where: ['subnet'], type: 'domains' },

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
  'neighbor-repair': { where: BOTH, type: 'bool', sets: 'neighborRepair' },
  announce: { where: BOTH, type: ['no', 'yes', 'solicit'], sets: 'announce' },
  snooping: { where: BOTH, type: ['no', 'mirror', 'mrd'], sets: 'snooping' },
  rule: { where: ['proxy'], type: 'block' },

  static: { where: ['rule'], type: 'flag' },
  auto: { where: ['rule'], type: 'flag' },
  iface: { where: ['rule'], type: 'ifaces' },
  autovia: { where: ['rule'], type: 'bool', sets: 'autovia' },
} as const satisfies Record<string, Option>))

/** Statements of other ndppd versions, with what to write instead. */
const FOREIGN: ReadonlyMap<string, string> = new Map(Object.entries({
  'use-kernel': 'delete it: ndp6d answers without proxy entries in the kernel',
  target: 'delete it: advertisements carry the link-layer address of the link that sends them',
  target_hwaddr: 'delete it: advertisements carry the link-layer address of the link that sends them',
  rewrite: 'translate addresses with nftables',
  table: 'write `auto`: it uses the kernel\'s routing rules and tables',
  'valid-ttl': 'write `ttl` in the proxy block',
  'invalid-ttl': 'write `deadtime` in the proxy block',
  renew: 'write `keepalive` in the proxy block',
  'retrans-limit': 'write `retries` in the proxy block',
  'retrans-time': 'write `timeout` in the proxy block',
  outgoing: 'write `autowire`, or `routes` in a subnet: traffic of this machine uses these host routes',
}))

/**
 * Types whose values are all words on the line. `block` and `iface` take only one value, but are listed here as well, so that a surplus
 * word is reported as a second value instead of being read as a statement.
 */
const MANY: readonly unknown[] = ['block', 'iface', 'include', 'ifaces', 'host', 'prefixes', 'addresses', 'domains']

/** @returns whether a statement `key` has a block */
export function takesBlock(key: string): boolean { return OPTIONS.get(key)?.type === 'block' }

/** @returns whether a statement `key` is allowed in the block of a statement `outer` */
export function belongsIn(key: string, outer: string): boolean { return OPTIONS.get(key)?.where.some((where) => where === outer) ?? false }

/** @returns whether `key` takes one value or many; undefined for an unknown key */
export function arity(key: string): 'one' | 'many' | undefined {
  const option = OPTIONS.get(key)
  return option && (MANY.includes(option.type) ? 'many' : 'one')
}

/** @returns the keys allowed in a block of kind `where` */
export function wordsOf(where: Where): readonly string[] {
  return [...OPTIONS].filter(([, option]) => option.where.includes(where)).map(([word]) => word)
}

const PLACES: Readonly<Record<Where, string>> = {
  top: 'outside of all blocks', proxy: 'in a `proxy` block', subnet: 'in a `subnet` block', rule: 'in a `rule` block',
}

/** Why a statement is not allowed. `near`: the keyword that was probably meant. */
export interface Misfit {
  readonly code: Code
  readonly message: string
  readonly hint: string | undefined
  readonly near?: string
}

/** @returns why `key` is not allowed in a block of kind `where`; undefined if it is allowed */
export function misfit(key: string, where: Where): Misfit | undefined {
  const option = OPTIONS.get(key)
  if (option?.where.includes(where)) return undefined
  const here = PLACES[where]
  if (option !== undefined) {
    const places = option.where.map((place) => PLACES[place]).join(' or ')
    const hint = where === 'subnet' && key === 'autowire' ? 'write `routes` in a subnet'
      : option.where[0] === 'top' ? 'is a `}` missing before it?' : undefined
    return { code: 'misplaced-word', message: `\`${key}\` is not allowed ${here}: expected it ${places}`, hint }
  }
  const foreign = FOREIGN.get(key)
  if (foreign !== undefined) return { code: 'other-ndppd', message: `\`${key}\` of another ndppd version is not supported`, hint: foreign }
  const words = wordsOf(where)
  const near = nearest(key, words) ?? nearest(key, OPTIONS.keys())
  const glued = near === undefined ? words.find((word) => key.startsWith(word)) : undefined // `upstreameth0`
  const hint = near !== undefined ? `did you mean \`${near}\`?`
    : glued !== undefined ? `write a blank after \`${glued}\`` : `known words: ${words.join(', ')}`
  return { code: 'unknown-word', message: `\`${key.slice(0, 60)}\` is not known ${here}`, hint, near: near ?? glued }
}
