/** Reloads of the engine: the way through another configuration leaves nothing behind, and a preview is what then happens. */
import t from 'tap'
import fc from 'fast-check'
import { configOf, ETH0, ETH1, ETH2, linkOf, own, Stage, twoLinks, VM2 } from '../engine/kit/stage.ts'

const ADDRESSES = ['2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::8000:1', '2001:db8:1::1', '2001:db8:1::2']
const LINKS = ['eth0', 'eth1', 'eth2', 'eth*', 'tap*']
const TIMES = 'timeout 100\nretries 1\nttl 20s\ndeadtime 5s\nannounce no\n'

const options = fc.subarray(['promiscuous yes\n', 'limit 7\n', 'source global\n', 'router no\n', 'keepalive no\n', 'override always\n'], { maxLength: 3 })
  .map((lines) => TIMES + lines.join(''))
const prefix = fc.constantFrom('2001:db8::/64', '2001:db8::/120', '2001:db8:1::/64', '2001:db8::1/128', '::/0')
const subnet = (name: string, hosts: readonly string[]): fc.Arbitrary<string> => fc.record({ options,
  upstream: fc.constantFrom('eth0', 'eth1', 'eth2'), downstream: fc.uniqueArray(fc.constantFrom(...LINKS), { minLength: 1, maxLength: 2 }),
  lines: fc.subarray([...hosts.map((host) => `host ${host}`), `exclude ${hosts[0]}`, 'learn no', 'snooping mirror', 'routes no']),
}).map(({ options, upstream, downstream, lines }) => {
  const links = downstream.filter((link) => link !== upstream).concat('other')
  return `subnet ${name} {\n${options}upstream ${upstream}\ndownstream ${links.join(' ')}\n${lines.join('\n')}\n}\n`
})
const rule = fc.tuple(prefix, fc.constantFrom('static', 'iface eth0', 'iface eth1', 'iface eth1 eth2', 'auto'))
  .map(([prefix, body]) => `rule ${prefix} { ${body} }\n`)
const proxy = fc.tuple(fc.constantFrom('eth0', 'eth1', 'eth2'), options, fc.array(rule, { maxLength: 3 }), fc.boolean())
  .map(([iface, options, rules, wire]) => `proxy ${iface} {\n${options}${wire ? 'autowire yes\n' : ''}${rules.join('')}}\n`)
const config = fc.tuple(fc.option(subnet('2001:db8::/64', ADDRESSES.slice(0, 3)), { nil: '' }),
  fc.option(subnet('2001:db8:1::/64', ADDRESSES.slice(4)), { nil: '' }), fc.array(proxy, { maxLength: 2 }))
  .map(([first, second, proxies]) => first + second + proxies.join(''))

function start(config: string): Stage { return new Stage(config, [...twoLinks(), linkOf(ETH2, { addresses: [own('fe80::ff:4')] })]) }

/** Longer than `ttl`, and than the discovery of hosts. Milliseconds. */
const REST = 60_000

/** Entries, routes, groups, subscriptions, and the outcome of a solicitation on each link. */
function stateOf(stage: Stage, config: string): object {
  const { routes, members, subscriptions } = stage.sink
  const { links } = stage.engine.preview(configOf(config))
  const known = { ...stage.known }
  const groups = [...members].map(([link, each]) => `${link} ${[...each].sort()}`).filter((line) => !line.endsWith(' ')).sort()
  const outcomes = [ETH0, ETH1, ETH2].map((link) => ADDRESSES.map((address) => stage.ns(link, address) ?? null))
  return { known, groups, outcomes, routes: [...routes.keys()].sort(), links,
    subscriptions: links.map(({ iface }) => [iface, subscriptions.get(iface)]) }
}

t.test('from A to B to A: the state is that of A alone', { timeout: 600_000 }, async () => {
  fc.assert(fc.property(config, config, (a, b) => {
    const states = [[b, a], [a]].map((way) => {
      const stage = start(a)
      for (const each of way) {
        stage.configure(each)
        stage.wait(REST)
      }
      return stateOf(stage, a)
    })
    if (JSON.stringify(states[0]) !== JSON.stringify(states[1])) throw new Error(`${JSON.stringify(states[0])}\n${JSON.stringify(states[1])}`)
  }), { numRuns: Number(process.env['RUNS'] ?? 300) })
})

t.test('a preview has no effect, and is what the reload then does', { timeout: 600_000 }, async () => {
  fc.assert(fc.property(config, config, (a, b) => {
    const stage = start(a)
    for (const [i, address] of ADDRESSES.entries()) {
      for (const link of [ETH0, ETH1, ETH2]) stage.ns(link, address)
      stage.na([ETH0, ETH1, ETH2][i % 3], address, VM2)
    }
    stage.sink.take()
    const { dropped, links } = stage.engine.preview(configOf(b))
    const [targets, names] = [dropped.map(({ target }) => String(target)), links.map(({ iface, sockets }) => `${sockets} ${iface}`)]
    const same = (found: readonly string[], wanted: readonly string[], what: string): void => {
      if ([...found].sort().join() !== [...wanted].sort().join()) throw new Error(`${what}: ${found} instead of ${wanted}`)
    }
    same(stage.sink.take(), [], 'effects')
    const owned = Object.entries(stage.known).filter(([, state]) => /^(REACHABLE|PROBE) /.test(state)).map(([target]) => target)
    stage.configure(b)
    const lines = stage.sink.take('neighbor', 'ignore', 'listen')
    const gone = lines.map((line) => /^neighbor (\S+) GONE: configuration$/.exec(line)?.[1]).filter((target) => owned.includes(target ?? ''))
    same(targets, gone as string[], 'dropped hosts')
    same(names.filter((name) => name.startsWith('closed')), lines.flatMap((line) => /^ignore (.*)/.exec(line)?.[1] ?? []).map((name) => `closed ${name}`),
      'closed links')
  }), { numRuns: Number(process.env['RUNS'] ?? 300) })
})
