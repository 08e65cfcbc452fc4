import t from 'tap'
import { Address, Prefix } from '../../src/address.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import { parseConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'

const UP_TO_KEEPALIVE = ['router yes', 'timeout 500', 'ttl 30000', 'deadtime 30000', 'retries 3', 'keepalive yes']
const FROM_PROMISCUOUS = ['promiscuous no', 'limit 4096', 'host-limit 64', 'probe-limit 500', 'override auto', 'source link-local',
  'neighbor-repair yes']
const block = (...lines: string[]): string[] => lines.map((line) => `    ${line}`)
const ADVERTISING = ['router-advertisements no', 'default-route auto']

t.test('the effective configuration', async (t) => {
  const prefix = Prefix.parse('2001:db8::/64')!
  const text = printConfig({
    forwarding: true,
    grace: 10_000,
    metrics: { host: '::1', port: 9436 },
    proxies: [{
      iface: 'eth2',
      settings: DEFAULTS,
      rules: [
        { kind: 'static', prefix: Prefix.parse('::1')! }, { kind: 'auto', prefix },
        { kind: 'iface', prefix, ifaces: ['vmtap*', 'host', 'eth1#x'], autovia: true },
      ],
    }],
    subnets: [{
      prefix,
      upstream: 'eth0',
      downstream: ['eth1', 'upstream'],
      hosts: [{ address: Address.parse('2001:db8::1')!, iface: undefined }, { address: Address.parse('2001:db8::2')!, iface: 'eth1' }],
      exclude: [Prefix.parse('2001:db8::dead:0/112')!],
      settings: { ...DEFAULTS, routes: true, snooping: 'mirror' },
    }, {
      prefix: 'auto',
      upstream: 'eth0',
      downstream: ['auto', 'snooping'],
      hosts: [{ address: Address.parse('2001:db8::1')!, iface: 'snooping' }],
      exclude: [],
      settings: { ...DEFAULTS, announce: 'solicit', snooping: 'mrd' },
    }],
  })
  t.equal(text, [
    'forwarding yes', 'grace 10000', 'metrics [::1]:9436', '',
    'subnet 2001:db8::/64 {',
    ...block('upstream eth0', 'downstream eth1 "upstream"', 'host 2001:db8::1', 'host 2001:db8::2 eth1', 'exclude 2001:db8::dead:0/112'),
    ...block('learn yes', 'routes yes', ...ADVERTISING, ...UP_TO_KEEPALIVE, ...FROM_PROMISCUOUS, 'announce no', 'snooping mirror'), '}', '',
    'subnet auto {',
    ...block('upstream eth0', 'downstream "auto" "snooping"', 'host 2001:db8::1 "snooping"', 'learn yes', 'routes no', ...ADVERTISING, ...UP_TO_KEEPALIVE),
    ...block(...FROM_PROMISCUOUS, 'announce solicit', 'snooping mrd'), '}', '',
    'proxy eth2 {',
    ...block(...UP_TO_KEEPALIVE, 'autowire no', ...FROM_PROMISCUOUS, 'announce no', 'snooping no'),
    ...block('rule ::1/128 { static }', 'rule 2001:db8::/64 { auto }', 'rule 2001:db8::/64 { iface vmtap* "host" "eth1#x" autovia yes }'),
    '}', '',
  ].join('\n'))
  const { config } = parseConfig(text, 'printed')
  t.equal(config && printConfig(config), text)
})
