import t from 'tap'
import { type Change, changesBetween } from '../../src/config/changes.ts'
import { parseConfig } from '../../src/config/load.ts'

const A = `grace 10s
subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1 tap*
  host 2001:db8::1 eth0
  host 2001:db8::2
  exclude 2001:db8::dead:0/112
}
proxy eth0 {
  rule 2001:db8:8::/112 { static }
  rule 2001:db8:9::/112 { iface eth1 }
}
`

/** @returns the changes from A: `~ PART: FROM -> TO (LINE)` */
function changes(text: string, before = A): string[] {
  const { config, places } = parseConfig(text, 'new.conf')
  const signs = { add: '+', change: '~', remove: '-' }
  return changesBetween(parseConfig(before, 'old.conf').config!, config!, places).map(({ op, what, name, block, from, to, file, line }: Change) =>
    `${signs[op]} ${[block, what, name].filter((each) => each !== null && each !== '').join(' ')}: ${from} -> ${to} (${file}:${line})`)
}

t.test('no difference', (t) => {
  t.same(changes(A), [])
  t.same(changes(`# the same\n\n${A}`), [], 'comments')
  t.same(changes(A.replace('10s', '10000').replace('eth1 tap*', 'tap* eth1')), [], 'spelling, and the order of links')
  t.same(changes(A.replace(/( +host .*\n)( +host .*\n)/, '$2$1')), [], 'the order of hosts')
  t.end()
})

t.test('each part that differs, with its new place', (t) => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['grace 10s\n', '', []],
    ['grace 10s', 'grace 1m', ['~ option grace: 10s -> 1m (new.conf:1)']],
    ['grace 10s', 'forwarding yes', ['~ option forwarding: no -> yes (new.conf:1)']],
    ['  upstream eth0', '  limit 1024\n  upstream eth0', ['~ subnet 2001:db8::/64 option limit: 4096 -> 1024 (new.conf:3)']],
    ['  upstream eth0', '  ttl 90s\n  upstream eth0', ['~ subnet 2001:db8::/64 option ttl: 30s -> 90s (new.conf:3)',
      '~ subnet 2001:db8::/64 option deadtime: 30s -> 90s (new.conf:2)']],
    ['  upstream eth0', '  upstream eth0\n  router-advertisements yes\n  dns fd00::53 fd00::54\n  search lan', [
      '+ subnet 2001:db8::/64 option dns: null -> fd00::53 fd00::54 (new.conf:5)', '+ subnet 2001:db8::/64 option search: null -> lan (new.conf:6)',
      '~ subnet 2001:db8::/64 option router-advertisements: no -> yes (new.conf:4)']],
    ['eth1 tap*', 'eth1', ['~ subnet 2001:db8::/64 option downstream: eth1 tap* -> eth1 (new.conf:4)']],
    ['::1 eth0', '::1 eth1', ['~ subnet 2001:db8::/64 host 2001:db8::1: eth0 -> eth1 (new.conf:5)']],
    ['host 2001:db8::2', 'host 2001:db8::3', ['+ subnet 2001:db8::/64 host 2001:db8::3: null -> any downstream (new.conf:6)',
      '- subnet 2001:db8::/64 host 2001:db8::2: any downstream -> null (null:null)']],
    ['  exclude 2001:db8::dead:0/112\n', '', ['- subnet 2001:db8::/64 exclude 2001:db8::dead:0/112: null -> null (null:null)']],
    ['static', 'auto', ['~ proxy eth0 rule 2001:db8:8::/112: eth0 static -> eth0 auto (new.conf:10)']],
    ['  rule 2001:db8:9::/112 { iface eth1 }\n', '', ['- proxy eth0 rule 2001:db8:9::/112: eth0 to eth1 -> null (null:null)']],
    ['proxy eth0 {', 'proxy eth0 {\n  autowire yes', ['~ proxy eth0 option autowire: no -> yes (new.conf:10)']],
    ['proxy eth0', 'proxy eth2 { rule 2001:db8:7::1 { static } }\nproxy eth0', ['+ proxy eth2: null -> 1 rule (new.conf:9)',
      '+ proxy eth2 rule 2001:db8:7::1/128: null -> eth2 static (new.conf:9)']],
    ['proxy eth0', 'subnet 2001:db8:1::/64 { upstream eth0\n downstream eth2\n limit 7\n host 2001:db8:1::5 }\nproxy eth0',
      ['+ subnet 2001:db8:1::/64: null -> eth0 to eth2 (new.conf:9)']],
  ]
  for (const [from, to, expected] of cases) t.same(changes(A.replace(from, to)), expected, `${from} -> ${to}`)
  t.same(changes(''), ['- subnet 2001:db8::/64: eth0 to eth1 tap* -> null (null:null)', '- proxy eth0: 2 rules -> null (null:null)',
    '- proxy eth0 rule 2001:db8:8::/112: eth0 static -> null (null:null)', '- proxy eth0 rule 2001:db8:9::/112: eth0 to eth1 -> null (null:null)'])
  t.end()
})

t.test('the order of rules and of blocks counts', (t) => {
  t.same(changes(A.replace(/( +rule .*\n)( +rule .*\n)/, '$2$1')), ['~ proxy eth0 order: null -> null (new.conf:10)'])
  const two = 'proxy a { rule 2001:db8::/64 { auto } }\nproxy b { rule 2001:db8::/64 { auto } }\n'
  t.same(changes(two.split('\n').reverse().join('\n'), two), ['~ order: null -> null (new.conf:2)'])
  t.end()
})

t.test('a part of an included file has the place there', (t) => {
  const { config, places } = parseConfig('include more', 'main', () => [{ file: 'more', text: A }])
  t.match(changesBetween(parseConfig('', 'old').config!, config!, places), [{ what: 'subnet', file: 'more', line: 2 }])
  t.end()
})
