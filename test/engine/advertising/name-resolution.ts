/** Servers and search domains of Router Advertisements (RFC 8106). */
import t from 'tap'
import { decodeDnsOption } from '../../../src/wire/router-messages.ts'
import { bytes } from '../../fixtures/frames.ts'
import { AUTO, CONFIG, Router, STATIC } from '../kit/router.ts'
import { ETH0, ETH1 } from '../kit/stage.ts'

/** An option for name resolution in an advertisement of the upstream. */
function dns(stage: Router, kind: 'servers' | 'domains', values: readonly string[], lifetime: number): void {
  stage.input({ kind: 'dns', ifindex: ETH0, option: { kind, values, lifetime } })
}

/** The same, as the bytes of the option. */
function option(stage: Router, hex: string): void {
  stage.input({ kind: 'dns', ifindex: ETH0, option: decodeDnsOption(bytes(hex), 0, bytes(hex).length)! })
}

/** What an advertisement says after its prefixes, to a host that asks for it. */
function resolution(stage: Router): string {
  stage.advertisements
  stage.solicit('fe80::2')
  stage.wait(1)
  return stage.advertisements.at(-1)!.split(STATIC)[1]
}

t.test('without `dns`, what the upstream advertises, for as long as it does', async (t) => {
  const stage = new Router()
  dns(stage, 'servers', ['2001:db8::53'], 60)
  dns(stage, 'domains', ['home.example'], 60)
  stage.wait(4000)
  t.match(stage.advertisements.at(-1), /, 2001:db8::53 \d+, home\.example \d+$/)
  stage.wait(60_000)
  t.equal(resolution(stage), '')
})

t.test('several options of one advertisement, each with its lifetime (RFC 8106 5.3.1)', async (t) => {
  const stage = new Router()
  dns(stage, 'servers', ['2001:db8::53', '2001:db8::54'], 600)
  dns(stage, 'servers', ['2001:db8::55'], 60)
  dns(stage, 'domains', ['home.example'], 0xffffffff)
  dns(stage, 'domains', ['lan.example'], 3600)
  t.equal(resolution(stage), ', 2001:db8::53 2001:db8::54 600, 2001:db8::55 60, home.example lan.example 1800')
  stage.wait(9_999)
  t.equal(resolution(stage), ', 2001:db8::53 2001:db8::54 590, 2001:db8::55 50, home.example lan.example 1800', 'they count down')
  dns(stage, 'servers', ['2001:db8::53'], 900)
  t.equal(resolution(stage), ', 2001:db8::53 900, 2001:db8::54 589, 2001:db8::55 49, home.example lan.example 1800')
  stage.wait(60_000)
  t.match(resolution(stage), /^, 2001:db8::53 8\d\d, 2001:db8::54 5\d\d, home\.example lan\.example 1800$/)
})

t.test('a server that the upstream withdraws is withdrawn for as long as hosts may use it', async (t) => {
  const stage = new Router()
  dns(stage, 'servers', ['2001:db8::53', '2001:db8::54'], 600)
  stage.wait(4000)
  stage.advertisements
  dns(stage, 'servers', ['2001:db8::53'], 0)
  dns(stage, 'servers', ['2001:db8::99'], 0)
  stage.wait(10)
  t.match(stage.advertisements, [/ff02::1 .*, 2001:db8::54 59\d, 2001:db8::53 0$/], 'at once; another one is ignored')
  t.same([...stage.engine.advertising.snapshot(stage.now)][0].servers, ['2001:db8::54'])
  stage.wait(600_000)
  t.equal(resolution(stage), '')
})

t.test('a lifetime that the upstream shortens is advertised at once, also if it was a long one', async (t) => {
  for (const before of [3600, 1800, 600]) {
    const stage = new Router()
    dns(stage, 'servers', ['2001:db8::53'], before)
    stage.wait(100_000)
    dns(stage, 'servers', ['2001:db8::53'], before)
    stage.wait(50_000)
    stage.advertisements
    dns(stage, 'servers', ['2001:db8::53'], 60)
    stage.wait(3100)
    t.match(stage.advertisements, [/ff02::1 .*, 2001:db8::53 (60|5\d)$/], `${before} s`)
  }
})

t.test('a long lifetime of the upstream that counts down causes no early advertisement', async (t) => {
  const stage = new Router()
  stage.wait(100_000)
  dns(stage, 'servers', ['2001:db8::53'], 3600)
  stage.wait(100_000)
  stage.advertisements
  for (let i = 0; i < 10; i++) {
    dns(stage, 'servers', ['2001:db8::54'], 0)
    dns(stage, 'servers', ['2001:db8::53'], 3600)
    stage.wait(10_000)
  }
  t.same(stage.advertisements, [])
})

t.test('a lifetime of the upstream that counts down past half an hour causes no early advertisement', async (t) => {
  const [constant, ...others] = [65_535, 2200, 2090, 2000].map((lifetime) => {
    const stage = new Router()
    dns(stage, 'servers', ['2001:db8::53'], lifetime)
    const times: number[] = []
    for (let time = 0; times.length < 4; time += 10) {
      // Each input causes a comparison with the last advertisement.
      dns(stage, 'servers', ['2001:db8::54'], 0)
      stage.wait(10_000)
      times.push(...stage.advertisements.map(() => time))
    }
    return times
  })
  for (const times of others) t.same(times, constant)
})

t.test('a very long lifetime of the upstream is passed on as half an hour, and withdrawn for as long', async (t) => {
  for (const [server, lifetime] of [['2001:db8::bad', 'fffffffe'], ['2001:db8::bad', 'ffffffff'], ['2001:db8::bad', '00010000']]) {
    const stage = new Router()
    const hex = '20010db8000000000000000000000bad'
    option(stage, `19030000 ${lifetime} ${hex}`)
    stage.wait(4000)
    t.equal(resolution(stage), `, ${server} 1800`, lifetime)
    option(stage, `19030000 00000000 ${hex}`)
    t.equal(resolution(stage), `, ${server} 0`)
    stage.wait(1_800_000)
    t.equal(resolution(stage), '', 'no host uses it any more')
    option(stage, `19030000 ${lifetime} ${hex}`)
    stage.wait(60_000_000)
    t.equal(resolution(stage), `, ${server} 1800`, 'the router may be silent for 65535 s (RFC 8319)')
    stage.wait(10_000_000)
    t.equal(resolution(stage), '', 'a router repeats its options')
  }
})

t.test('hosts take the last lifetime, so a withdrawal lasts no longer', async (t) => {
  const stage = new Router()
  option(stage, '1f020000 00000708 03 6c616e 00 000000')
  stage.wait(4000)
  option(stage, '1f020000 0000003c 03 6c616e 00 000000')
  t.equal(resolution(stage), ', lan 60')
  option(stage, '1f020000 00000000 03 6c616e 00 000000')
  t.equal(resolution(stage), ', lan 0')
  stage.wait(60_000)
  t.equal(resolution(stage), '')
})

const WITH_DNS = CONFIG.replace('yes', 'yes\n  dns fd00::53 fd00::54\n  search example.net')

t.test('servers and domains that the configuration no longer has are withdrawn', async (t) => {
  const stage = new Router(WITH_DNS)
  t.equal(resolution(stage), ', fd00::53 fd00::54 1800, example.net 1800')
  stage.configure(WITH_DNS.replace('fd00::53 ', ''))
  stage.wait(10)
  t.match(stage.advertisements, [/ff02::1 .*, fd00::54 1800, example\.net 1800, fd00::53 0$/], 'at once')
  stage.configure(CONFIG)
  t.equal(resolution(stage), ', fd00::53 fd00::54 0, example.net 0')
  stage.configure(WITH_DNS)
  t.equal(resolution(stage), ', fd00::53 fd00::54 1800, example.net 1800', 'back again')
  stage.configure(CONFIG)
  stage.wait(1_800_000)
  t.equal(resolution(stage), '', 'no host uses them any more')
})

t.test('with `dns`, servers of the upstream that were passed on are withdrawn', async (t) => {
  const stage = new Router()
  dns(stage, 'servers', ['2001:db8::53'], 600)
  t.equal(resolution(stage), ', 2001:db8::53 600')
  stage.configure(CONFIG.replace('yes', 'yes\n  dns fd00::53'))
  t.equal(resolution(stage), ', fd00::53 1800, 2001:db8::53 0')
})

t.test('the last advertisement on a link withdraws servers, too', async (t) => {
  const stage = new Router(WITH_DNS)
  stage.configure(CONFIG.replace('router-advertisements yes', ''))
  stage.wait(4000)
  t.match(stage.advertisements, [/, fd00::53 fd00::54 0, example\.net 0$/])
  stage.configure(CONFIG)
  t.equal(resolution(stage), '')
})

t.test('servers that are other ones each time do not displace the present ones', async (t) => {
  const stage = new Router(WITH_DNS.replace('dns fd00::53 fd00::54\n', ''))
  for (let i = 0; i < 200; i++) {
    dns(stage, 'servers', [`2001:db8::1:${i}`], 600)
    dns(stage, 'servers', [`2001:db8::1:${i - 1}`], 0)
    stage.wait(3500)
  }
  const [, present, domain, withdrawn] = resolution(stage).split(', ')
  t.match([present, domain], [/^2001:db8::1:199 59\d$/, 'example.net 1800'])
  t.ok(withdrawn.split(' ').length <= 1 + 128)
})

t.test('what did not fit into an advertisement was not advertised, so it is not withdrawn', async (t) => {
  const all = Array.from({ length: 80 }, (_, i) => `fd00::${(i + 256).toString(16)}`)
  const stage = new Router(CONFIG.replace('yes', `yes\n  dns ${all.join(' ')}`))
  t.equal(resolution(stage), `, ${all.slice(0, 73).join(' ')} 1800`)
  t.same([...stage.engine.advertising.snapshot(stage.now)][0].servers, all.slice(0, 73))
  stage.configure(CONFIG)
  t.equal(resolution(stage), `, ${all.slice(0, 73).join(' ')} 0`)
})

t.test('prefixes that did not fit were not advertised, either', async (t) => {
  const stage = new Router(AUTO)
  stage.grant(...Array.from({ length: 50 }, (_, i) => [`2001:db8:${i + 1}::/64`, 3600, 1800] as const))
  stage.wait(4000)
  t.equal(stage.advertisements.at(-1)!.match(/::\/64 /g)?.length, 37)
  t.equal(stage.engine.advertising.saved(stage.now).prefixes.length, 37)
})

t.test('servers with a short lifetime are refreshed with the upstream', async (t) => {
  const stage = new Router()
  stage.wait(4000)
  let least = 20
  for (let i = 0; i < 30; i++) {
    dns(stage, 'servers', ['2001:db8::53'], 20)
    stage.wait(4000)
    for (const line of stage.advertisements) least = Math.min(least, Number(/::53 (\d+)$/.exec(line)![1]))
    t.ok(stage.advertised(ETH1) <= 7000, 'at a third of the lifetime')
  }
  t.ok(least >= 12, `never less than ${least} s`)
})

t.test('an upstream that advertises very many servers', async (t) => {
  const stage = new Router()
  dns(stage, 'servers', ['2001:db8::53'], 3600)
  for (let i = 0; i < 100; i++) dns(stage, 'servers', [`2001:db8::1:${i}`], 60 + i)
  t.match(resolution(stage).split(',').length, 17)
  t.match(resolution(stage), /2001:db8::53 .*2001:db8::1:14 /, 'the first ones stay')
})

t.test('17 servers of an upstream stay the same ones at each of its advertisements', async (t) => {
  const stage = new Router()
  const values = Array.from({ length: 17 }, (_, i) => `2001:db8::1:${i}`)
  for (let i = 0; i < 5; i++) {
    for (const value of values) dns(stage, 'servers', [value], 600)
    t.equal(resolution(stage), `, ${values.slice(0, 16).join(' ')} 600`)
    stage.wait(20_000)
  }
  stage.wait(300_000)
  stage.advertisements
  for (const value of values) dns(stage, 'servers', [value], 600)
  dns(stage, 'servers', [values[3]], 0)
  dns(stage, 'servers', [values[16]], 600)
  t.equal(resolution(stage), `, ${values.filter((_, i) => i !== 3).join(' ')} 600, ${values[3]} 0`, 'in the place of one that goes')
})

t.test('the end of a withdrawal is no change, neither that of a server nor of a prefix', async (t) => {
  const stage = new Router()
  option(stage, '19030000 00000258 20010db8000000000000000000000053')
  stage.wait(20_000)
  stage.configure(CONFIG.replace('2001:db8:', '2001:db8:1:'))
  option(stage, '19030000 00000000 20010db8000000000000000000000053')
  stage.wait(100_000)
  t.match(stage.advertisements.at(-1), /, 2001:db8::\/64 7200 0, 2001:db8::53 0$/)
  const times: number[] = []
  let last = ''
  for (let i = 0; i < 8700; i++) {
    stage.wait(10_000)
    stage.input({ kind: 'forwarding', isEnabled: true })
    for (const line of stage.advertisements) {
      times.push(i)
      last = line
    }
  }
  t.match(last, /mtu -, 2001:db8:1::\/64 86(400|399) 14(400|399)$/, 'both have ended')
  t.ok(Math.min(...times.slice(1).map((time, i) => time - times[i])) >= 19, 'no two within 190 s')
})
