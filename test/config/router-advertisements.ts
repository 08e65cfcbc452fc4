/** Statements of a subnet that concern its Router Advertisements. */
import t from 'tap'
import { Prefix } from '../../src/address.ts'
import { parseConfig } from '../../src/config/load.ts'
import { fitting, information } from '../../src/wire/router-messages.ts'

function read(lines: string, prefix = '2001:db8::/64') {
  const { config, diagnostics } = parseConfig(`subnet ${prefix} {\n upstream eth0\n downstream br0\n${lines}\n}\n`, 'x')
  return { subnet: config?.subnets[0], problems: diagnostics.map(({ line, severity, message }) => `${line} ${severity} ${message}`) }
}

t.test('everything set', async (t) => {
  const { subnet, problems } = read('router-advertisements yes\ndefault-route always\ndns 2001:db8::53 fd00::53\ndns fe80::1\nsearch example.net. lan')
  t.same(problems, [])
  t.match(subnet?.settings, { routerAdvertisements: true, defaultRoute: 'always' })
  t.same(subnet?.dns?.map(String), ['2001:db8::53', 'fd00::53', 'fe80::1'])
  t.same(subnet?.search, ['example.net', 'lan'])
})

t.test('defaults', async (t) => {
  t.match(read('').subnet, { settings: { routerAdvertisements: false, defaultRoute: 'auto' }, dns: undefined, search: undefined })
})

t.test('mistakes', async (t) => {
  t.match(read('router-advertisements on').problems, [/^4 error `on` is not a value of `router-advertisements`/])
  t.match(read('router-advertisements yes\ndns').problems, [/^5 error `dns` has no value: expected one or more addresses/])
  t.match(read('router-advertisements yes\ndns 2001:db8::/64').problems, [/^5 error .* is a prefix: expected one address/])
  t.match(read('router-advertisements yes\nsearch a..b').problems, [/^5 error .* is not a domain/])
  t.match(read(`router-advertisements yes\nsearch ${'a'.repeat(64)}`).problems, [/^5 error .* is not a domain/])
  t.match(read('dns fd00::53').problems, [/^4 warning `dns` has no effect without router advertisements/])
  t.match(read('router-advertisements yes', '2001:db8::/80').problems, [/^1 warning hosts take no address in 2001:db8::\/80 by themselves/])
  t.match(read('router-advertisements yes', '2001:db8::/112').problems, [/^1 warning hosts take no address/])
})

/** @returns the messages with their hints */
function explained(lines: string): string[] {
  return parseConfig(`subnet 2001:db8::/64 {\n upstream eth0\n downstream br0\n router-advertisements yes\n${lines}\n}\n`, 'x').diagnostics
    .map(({ severity, message, hint }) => `${severity} ${message} (${hint ?? ''})`)
}

t.test('name servers are addresses that hosts can send to', async (t) => {
  t.same(explained('dns ns.example.org'), ['error `ns.example.org` is not an IPv6 address: expected one like 2001:db8::5 '
    + '(write its address, which `getent ahostsv6 ns.example.org` shows)'])
  t.match(explained('dns 192.0.2.53'), [/^error `192.0.2.53` is not an IPv6 address: expected one like 2001:db8::5 \(write an IPv6 address/])
  t.match(explained('dns 2001:db8::53, 2001:db8::54'), [/^error `2001:db8::53,` is not an IPv6 address: .* \(did you mean `2001:db8::53`\?\)$/])
  for (const text of ['::1', '::', 'ff02::1']) {
    t.same(explained(`dns ${text}`), [`error \`${text}\` is not the address of a name server: hosts cannot send to it `
      + '(write an address that the server has on a link)'], text)
  }
})

t.test('servers and domains that do not fit into one advertisement', async (t) => {
  const dns = (count: number, first = 0): string => `dns ${Array.from({ length: count }, (_, i) => `fd00::${(first + i).toString(16)}`).join(' ')}`
  const domains = (count: number): string => `search ${Array.from({ length: count }, (_, i) => `example-${i + 100}.net`).join(' ')}`
  t.same(explained(dns(73)), [])
  t.same(explained(dns(80)), ['warning only 73 of 80 name servers of br0 fit into one advertisement: the others are not advertised (write at most 73)'])
  t.same(explained(`${dns(40)}\n${dns(40, 30)}`), [], '70 of them differ')
  t.same(explained(domains(68)), [])
  t.match(explained(domains(100)), [/^warning only 68 of 100 search domains of br0 fit/])
  t.match(explained(`${dns(60)}\n${domains(68)}`), [/^warning only 11 of 68 search domains/])
  const two = (second: string, link = 'br0') => parseConfig(`subnet 2001:db8::/64 {\n upstream eth0\n downstream br0\n router-advertisements yes\n${dns(40)}\n}
subnet fd00:1::/64 {\n upstream eth0\n downstream ${link}\n router-advertisements yes\n${second}\n}\n`, 'x').diagnostics
  t.same(two(dns(31, 40)), [])
  t.match(two(dns(40, 40)), [{ severity: 'warning', line: 11, message: 'only 71 of 80 name servers of br0 fit into one advertisement: the others are not advertised' }])
  t.same(two(dns(40, 40), 'br1'), [], 'of two links')
  t.match(read(dns(80)).problems, [/^4 warning `dns` has no effect without/])
  t.same(explained(`${dns(73)}\nsearch a.example b.example c.example`), ['warning no search domain of br0 fits into one advertisement beside the name servers '
    + '(write fewer name servers)'])
  t.match(explained(`${dns(90)}\nsearch lan`), [/^warning only 73 of 90 name servers/, /^warning no search domain of br0 fits/])
  const crowd = Array.from({ length: 40 }, (_, i) => `subnet fd00:${i + 1}::/64 {\n upstream eth0\n downstream br0\n router-advertisements yes\n${i ? '' : dns(3)}\n}\n`)
  t.match(parseConfig(crowd.join(''), 'x').diagnostics, [{ message: 'no name server of br0 fits into one advertisement beside the prefixes',
    hint: 'use fewer subnets on br0' }])
})

t.test('the check and the encoder agree on what fits', async (t) => {
  for (const [servers, domains] of [[73, 0], [74, 0], [40, 90], [71, 9], [72, 9], [0, 100]]) {
    const dns = Array.from({ length: servers }, (_, i) => `fd00::${(i + 256).toString(16)}`)
    const search = Array.from({ length: domains }, (_, i) => `${'x'.repeat(i % 7 + 1)}${i}.example`)
    const fit = fitting({ prefixes: [information(Prefix.parse('2001:db8::/64')!, 0, 0)],
      dns: [{ kind: 'servers', values: dns, lifetime: 1 }, { kind: 'domains', values: search, lifetime: 1 }] })
    const count = (wanted: string): number => fit.dns.find(({ kind }) => kind === wanted)?.values.length ?? 0
    const lines = [['dns', dns], ['search', search]].flatMap(([name, values]) => values.length === 0 ? [] : [`${String(name)} ${[...values].join(' ')}`])
    const messages = explained(lines.join('\n'))
    for (const [what, all, fits] of [['name servers', servers, count('servers')], ['search domains', domains, count('domains')]] as const) {
      const expected = fits === all ? [] : [fits === 0 ? `no ${what.slice(0, -1)} of` : `only ${fits} of ${all} ${what}`]
      t.match(messages.filter((message) => message.includes(what.slice(0, -1))), expected.map((text) => new RegExp(`^warning ${text}`)), `${servers} ${domains} ${what}`)
    }
  }
})

t.test('a domain does not end in a number', async (t) => {
  t.match(explained('search 127.0.0.1'), [/^error `127.0.0.1` is not a domain/])
  t.match(explained('search 1.168.192.in-addr.arpa 7eleven'), [])
})

t.test('what has no effect, or is no matter of ndppd', async (t) => {
  const off = (line: string): string[] => read(line).problems
  t.match(off('default-route always'), [/^4 warning `default-route` has no effect without router advertisements/])
  t.same(off('default-route auto'), [], 'the default, which `check --print` prints')
  t.same(parseConfig('forwarding maybe', 'x').diagnostics.map(({ hint }) => hint), [undefined], 'not a statement of ndppd')
  const hint = (line: string): string | undefined => parseConfig(`proxy eth0 {\n rule ::/0 { auto }\n ${line}\n}`, 'x').diagnostics[0].hint
  t.equal(hint('router maybe'), 'ndppd 0.2.x would read no')
  t.equal(hint('router on'), 'write `router yes`; ndppd 0.2.x would read no')
  t.equal(hint('neighbor-repair on'), 'write `neighbor-repair yes`')
  t.equal(hint('ttl soon'), 'ndppd 0.2.x would read 0')
  t.equal(hint('probe-limit many'), undefined)
})
