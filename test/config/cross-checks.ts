import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'

const subnet = (prefix: string, body = ''): string => {
  return `subnet ${prefix} { upstream eth0; downstream eth1; ${body} }\n`
}
const auto = (upstream: string): string => `subnet auto { upstream ${upstream}; downstream eth9 }\n`
const rules = (...prefixes: string[]): string => {
  return `proxy eth0 {\n${prefixes.map((prefix) => `rule ${prefix} { auto }\n`).join('')}}\n`
}

function problems(text: string): string[] {
  return parseConfig(text, 'x').diagnostics.filter(({ message }) => !message.startsWith('`;`'))
    .map((d) => `${d.line}:${d.column} ${d.severity} ${d.message} (${d.hint ?? ''})`)
}

t.test('subnets that overlap', async (t) => {
  t.same(problems(subnet('2001:db8:1::/64') + subnet('2001:db8:2::/64')), [])
  t.match(problems(subnet('2001:db8::/64') + subnet('2001:db8::/64')), [/^2:8 error duplicate subnet .*, first at line 1/])
  const inner = subnet('2001:db8::/80')
  t.match(problems(inner + subnet('2001:db8::/64')), [/^1:8 warning .*is inside 2001:db8::\/64 of line 2/], 'in any order')
  t.same(problems(inner + subnet('2001:db8::/64', 'exclude 2001:db8::/80')), [], 'unless it is excluded')
  t.match(problems(inner + subnet('2001:db8::/64', 'exclude 2001:db8::/96')), [/warning/])
})

t.test('subnets without a prefix', async (t) => {
  t.same(problems(auto('eth0') + auto('eth1') + subnet('2001:db8::/64')), [], 'overlaps are not known')
  t.match(problems(auto('eth0') + auto('eth1') + auto('eth0')),
    [/^3:8 error duplicate subnet auto with upstream eth0, first at line 1: expected one block/])
  t.same(problems(auto('eth0') + rules('2001::db8:2')), [])
})

t.test('a rule whose double colon is misplaced', async (t) => {
  t.match(problems(rules('2001:db8::/64', '2001::db8:2')), [/^3:6 warning .*did you mean `2001:db8::2`, in 2001:db8::\/64/])
  t.match(problems(rules('2001::db8:2') + subnet('2001:db8::/64')), [/^2:6 warning/], 'subnets count as well')
  t.same(problems(rules('2001:db8::/64', '2001:db8::2', '2001:db8:9::2', '2001::db9:2')), [])
  t.same(problems(rules('2001::db8:2')), [], 'nothing to compare with')
})
