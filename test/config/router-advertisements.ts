/** Statements of a subnet that concern its Router Advertisements. */
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'

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
