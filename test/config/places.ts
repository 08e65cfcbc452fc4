/** The places of rules, hosts and exclusions in the files of a configuration. */
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import type { StatementKey } from '../../src/config/config.ts'
import { findPlace } from '../../src/config/places.ts'

const MAIN = `
proxy eth2 {
  rule 2001:db8:2::/64 { iface eth3 }

  rule 2001:db8:3::/64 {
    auto
  }
}
include more
proxy eth4 { rule 2001:db8:4::/64 { auto } }
`
const MORE = `# comment
subnet 2001:db8::/64 {
  upstream eth0
  exclude 2001:db8::1:0/112 2001:db8::2:0/112
  host 2001:db8::1 eth0
  host 2001:db8::1 eth0
  exclude 2001:db8::3:0/112
  host 2001:db8::2
  downstream eth1
}
`

t.test('the places of blocks and of the statements in them', async (t) => {
  const { config } = parseConfig(MAIN, 'main', () => [{ file: 'more', text: MORE }])
  const of = (kind: StatementKey['kind'], block: number, part?: StatementKey['part'], index?: number): string => {
    const place = findPlace(config!, { kind, block, ...part && { part }, ...index !== undefined && { index } })
    return place === undefined ? '-' : `${place.file}:${place.line}`
  }
  t.same([0, 1, 2].map((block) => of('proxies', block)), ['main:2', 'main:10', '-'])
  t.same([0, 1, 2].map((index) => of('proxies', 0, 'rules', index)), ['main:3', 'main:5', '-'])
  t.equal(of('proxies', 1, 'rules', 0), 'main:10')
  t.equal(of('subnets', 0), 'more:2')
  t.equal(config?.subnets[0].hosts.length, 2, 'the duplicate is left out')
  t.same([0, 1].map((index) => of('subnets', 0, 'hosts', index)), ['more:5', 'more:8'])
  t.same([0, 1, 2].map((index) => of('subnets', 0, 'exclude', index)), ['more:4', 'more:4', 'more:7'])
  t.equal(findPlace({ ...config! }, { kind: 'subnets', block: 0 }), undefined, 'a configuration that was not read from a file')
})
