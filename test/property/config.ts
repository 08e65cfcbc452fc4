import t from 'tap'
import fc from 'fast-check'
import { Address, Prefix } from '../../src/address.ts'
import type { Config, PinnedHost, Rule, Settings, Subnet } from '../../src/config/config.ts'
import { renderDiagnostic } from '../../src/config/diagnostic.ts'
import { parseConfig } from '../../src/config/load.ts'
import { OPTIONS } from '../../src/config/option-table.ts'
import { printConfig } from '../../src/config/print.ts'

const words = [...OPTIONS.keys()]

/** Text with parts of a configuration. */
const almost = fc.array(fc.oneof(
  fc.constantFrom('{', '}', '\n', ' ', '\t', ';', '=', '#', '//', '/*', '*/', '"', "'", '\r\n', '\0', '\ufeff', '\u00a0'),
  fc.constantFrom('网', '-1', '1e3', '2147483648', 'yes', 'solicit', 'mrd', '30s'),
  fc.constantFrom('eth0', 'tap*', '2001:db8::/64', '2001:db8::1', '2001::db8:1'),
  fc.constantFrom(...words.map((word) => ` ${word} `)),
  fc.constantFrom('proxy eth0 {\n', 'subnet 2001:db8::/64 {\n', 'subnet auto {\nupstream a\ndownstream b\n'),
  fc.constantFrom('rule 2001:db8::/64 {', 'include a\n'),
  fc.string({ maxLength: 5, unit: 'binary' }),
), { maxLength: 60 }).map((parts) => parts.join(''))

t.test('any text is read, and each problem is at a place inside it', async () => {
  fc.assert(fc.property(fc.oneof(almost, fc.string({ unit: 'binary' })), (text) => {
    const { config, diagnostics } = parseConfig(text, 'main', (file) => [{ file, text: text.slice(1) }])
    if ((config === undefined) !== diagnostics.some(({ severity }) => severity === 'error')) throw new Error('errors')
    for (const diagnostic of diagnostics) {
      const { line, column, length, text: shown } = diagnostic
      const inside = line >= 1 && column >= 1 && length >= 1 && column <= shown.length + 1
      if (!inside) throw new Error(`${line}:${column}+${length}`)
      renderDiagnostic(diagnostic)
    }
    if (config !== undefined) same(parseConfig(printConfig(config), 'printed').config, config)
  }), { numRuns: 3000 })
})

t.test('punctuation alone is read', async () => {
  fc.assert(fc.property(fc.array(fc.constantFrom('{', '}', ';', '"', ' ', '\n', 'a', '='), { maxLength: 300 }),
    (parts) => void parseConfig(parts.join(''), 'main')), { numRuns: 500 })
})

const time = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const count = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const iface = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9._-]{0,14}$/), fc.constantFrom('host', 'upstream', 'ttl', 'auto', 'announce', 'eth0#1', '=', ';x', '#'))
const pattern = fc.oneof(iface, fc.stringMatching(/^[a-z]{1,8}\*$/))
const hasNeighbors = (name: string): boolean => name !== 'lo'
const address = fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer()).map((w) => new Address(...w))
const prefix = fc.tuple(address, fc.integer({ min: 0, max: 128 })).map(([a, length]) => new Prefix(a, length))

const settings: fc.Arbitrary<Settings> = fc.record({
  router: fc.boolean(), timeout: time, ttl: time, deadtime: time, retries: time, keepalive: fc.boolean(),
  routes: fc.boolean(), learn: fc.constant(true), promiscuous: fc.boolean(), limit: count, hostLimit: count, probeLimit: count,
  override: fc.constantFrom('auto', 'always', 'never'), source: fc.constantFrom('link-local', 'global', 'target'), neighborRepair: fc.boolean(),
  announce: fc.constantFrom('no', 'yes', 'solicit'), snooping: fc.constantFrom('no', 'mirror', 'mrd'),
})

const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({ kind: fc.constant('static' as const), prefix }),
  fc.record({ kind: fc.constant('auto' as const), prefix }),
  fc.record({
    kind: fc.constant('iface' as const), prefix, autovia: fc.boolean(),
    ifaces: fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 }),
  }),
)

/** Valid subnets: a unique prefix or `auto`, with hosts and exclusions inside. */
function subnet(number: number): fc.Arbitrary<Subnet> {
  const whole = new Prefix(new Address(0x20010db8, number, 0, 0), 64)
  const inside = fc.tuple(fc.integer(), fc.integer()).map(([w2, w3]) => new Address(0x20010db8, number, w2, w3))
  return fc.record({
    isAuto: fc.boolean(), upstream: iface.filter(hasNeighbors),
    downstream: fc.uniqueArray(pattern.filter(hasNeighbors), { minLength: 1, maxLength: 3 }),
    hosts: fc.uniqueArray(inside, { maxLength: 4, selector: String }),
    pinned: fc.boolean(),
    exclude: fc.uniqueArray(
      fc.tuple(inside, fc.integer({ min: 64, max: 128 })).map(([a, length]) => new Prefix(a, length)),
      { maxLength: 3, selector: String }),
    settings: fc.tuple(settings, fc.boolean()).map(([s, learn]) => ({ ...s, learn })),
  }).map(({ isAuto, hosts, pinned, downstream, ...rest }) => ({
    ...rest,
    prefix: isAuto ? 'auto' : whole,
    downstream: downstream.filter((name) => name !== rest.upstream).concat('fallback'),
    hosts: hosts.map((host): PinnedHost => ({ address: host, iface: pinned ? rest.upstream : undefined })),
  }))
}

function haveUniqueUpstreams(subnets: readonly Subnet[]): boolean {
  const upstreams = subnets.filter(({ prefix: each }) => each === 'auto').map(({ upstream }) => upstream)
  return new Set(upstreams).size === upstreams.length
}

const config: fc.Arbitrary<Config> = fc.record({
  forwarding: fc.boolean(), grace: time,
  metrics: fc.record({
    host: fc.oneof(address.map(String), fc.constantFrom('127.0.0.1', 'localhost')),
    port: fc.integer({ min: 1, max: 65535 }),
  }),
  proxies: fc.array(fc.record({ iface, settings, rules: fc.array(rule, { maxLength: 5 }) }), { maxLength: 3 }),
  subnets: fc.tuple(subnet(1), subnet(2), subnet(3)).chain((all) => fc.subarray(all)).filter(haveUniqueUpstreams),
}, { requiredKeys: ['forwarding', 'grace', 'proxies', 'subnets'] })

function same(read: Config | undefined, wanted: Config): void {
  const [found, expected] = [read, wanted].map((value) => JSON.stringify(value, canonical))
  if (found !== expected) throw new Error(`${found}\n${expected}\n${printConfig(wanted)}`)
}

/** Sorts keys, for JSON.stringify. */
function canonical(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

t.test('parse(print(c)) = c', async () => {
  fc.assert(fc.property(config, (wanted) => {
    const { config: read, diagnostics } = parseConfig(printConfig(wanted), 'printed')
    const error = diagnostics.find(({ severity }) => severity === 'error')
    if (error !== undefined) throw new Error(renderDiagnostic(error))
    same(read, wanted)
  }), { numRuns: 500 })
})
