import t from 'tap'
import { DEFAULTS } from '../../src/config/defaults.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'

function read(text: string): { config: Config | undefined; problems: string[] } {
  const { config, diagnostics } = parseConfig(text, 'x')
  return { config, problems: diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message} (${d.hint ?? ''})`) }
}

const proxied = (body: string): ReturnType<typeof read> => read(`proxy eth0 {\n${body}\n}\n`)

t.test('defaults', async (t) => {
  const { config } = read('proxy eth0 { rule 2001:db8::/64 { auto } }\nsubnet 2001:db8::/64 { upstream a; downstream b }')
  t.match(config, { forwarding: false, grace: 10_000 })
  t.notOk(config && 'metrics' in config)
  t.same(config?.proxies[0].settings, DEFAULTS)
  t.same(config?.subnets[0].settings, { ...DEFAULTS, routes: true, announce: 'yes' })
})

t.test('deadtime is ttl until it is set', async (t) => {
  const settings = (body: string): object | undefined => {
    return proxied(`${body}\nrule 2001:db8::/64 { auto }`).config?.proxies[0].settings
  }
  t.match(settings('ttl 5s'), { ttl: 5000, deadtime: 5000 })
  t.match(settings('ttl 5s\ndeadtime 1s'), { ttl: 5000, deadtime: 1000 })
  t.match(settings('deadtime 1s'), { ttl: 30_000, deadtime: 1000 })
  t.match(settings('ttl 5s\ndeadtime -1'), { ttl: 5000, deadtime: 5000 })
})

t.test('the first of two values is used, the second is not read', async (t) => {
  const { config, problems } = proxied('ttl 1\nttl banana\nrule 2001:db8::/64 { auto }')
  t.equal(config?.proxies[0].settings.ttl, 1)
  t.match(problems, [/^3:1 warning duplicate `ttl`, first at line 2/])
})

t.test('rules keep their order, also duplicates', async (t) => {
  const { config } = proxied('rule ::/0 { auto }\nrule 2001:db8::/64 { iface a }\nrule 2001:db8::/64 { iface b }')
  t.same(config?.proxies[0].rules.map(({ prefix, kind }) => `${prefix} ${kind}`),
    ['::/0 auto', '2001:db8::/64 iface', '2001:db8::/64 iface'])
})

t.test('the kind of a rule', async (t) => {
  const rule = (body: string): unknown => {
    const { config, problems } = proxied(`rule 2001:db8::/112 ${body}`)
    return [config?.proxies[0].rules[0]?.kind, ...problems]
  }
  t.same(rule('{ static }'), ['static'])
  t.match(rule('{ static no }'), ['static', /ignored: expected the word alone/])
  t.match(rule('{ }'), ['static', /^2:6 warning this rule is empty/])
  t.match(rule(''), [undefined, /^2:6 error this rule has no block/])
  t.match(rule('{ ifcae a }'), [undefined, /^2:23 error `ifcae` is not known .*did you mean `iface`/], 'one error')
  t.equal((rule('{ ifcae a }') as unknown[]).length, 2)
  t.match(rule('{ auto\n satic }'), ['auto', /^3:2 warning `satic` is not known/], 'ndppd ignores it beside a method')
  t.match(rule('{ autovia yes }'), [undefined, /error/])
  t.match(rule('{ auto\n static }'), [undefined, /^3:2 error `static` in a rule with `auto`/])
  t.match(rule('{ iface a\n auto }'), [undefined, /^3:2 error `auto` in a rule with `iface`/])
  t.match(rule('{ iface }'), [undefined, /^2:23 error `iface` has no value/])
})

t.test('short prefixes of static rules', async (t) => {
  t.match(proxied('rule 2001:db8::/111 { static }').problems, [/^2:6 warning `static` answers for every address/])
  t.same(proxied('rule 2001:db8::/112 { static }').problems, [])
  t.same(proxied('rule ::/0 { auto }').problems, [])
})

t.test('every problem in a subnet is an error', async (t) => {
  const { config, problems } = read('subnet 2001:db8::/64 {\nupstream a\ndownstream b\nttll 5\nhost { x }\n}')
  t.equal(config, undefined)
  t.match(problems, [/^4:1 error `ttll`.*did you mean `ttl`/, /^5:1 error `host` takes no block/, /^5:1 error `host` has no value/])
})

t.test('polling options have no effect, and are reported once', async (t) => {
  const rule = 'proxy eth0 { rule 2001:db8::/64 { auto } }'
  const { problems } = read(`route-ttl 2147483647\naddress-ttl banana\nroute-ttl\n${rule}`)
  t.match(problems, { length: 1, 0: /^1:1 warning `route-ttl` has no effect/ })
})
