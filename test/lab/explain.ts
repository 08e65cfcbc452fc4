/** `ndp6d explain` and a capture agree: an address is answered if, and only if, the command says so. */
import { dirname } from 'node:path'
import t from 'tap'
import { printExplanation } from '../../src/cli/explain-text.ts'
import type { Explained } from '../../src/replies/explain.ts'
import { command, type Ended, run } from '../fixtures/program.ts'
import { ns } from '../kit/frames.ts'
import { schemaErrors } from '../kit/schema.ts'
import { PROXY, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const FILE = `forwarding yes
subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  exclude 2001:db8::dead:0/112
  host 2001:db8::1 eth0
  host ${vmAddress(2)}
  timeout 200ms
  retries 1
  deadtime 10m
}
subnet 2001:db8:2::/64 {
  upstream eth0
  downstream eth1
  timeout 1m
}
proxy eth0 {
  rule 2001:db8:1::/112 { static }
}
`
const EXCLUDED = '2001:db8::dead:1'
const [BEHIND, ELSEWHERE] = ['2001:db8::a1', '2001:db8::a2']
const [SEARCHED, FAILED, FOREIGN, PROXIED, STATIC] = ['2001:db8:2::77', '2001:db8::78', '2001:db8:9::1', '2001:db8:9::2', '2001:db8:1::5']

t.test('the verdict for each kind of address', async (t) => {
  const stage = await scene(t, [2, 3])
  const { router, server, proxy, eth0, eth1, vms: [, vm3] } = stage
  const daemon = await stage.start(FILE)
  const RUN = { RUNTIME_DIRECTORY: dirname(daemon.configFile) }
  const explain = (...args: string[]): Ended => run(command('explain', ...args), RUN)
  const json = (...args: string[]): Explained => {
    const { stdout } = explain('--json', ...args)
    const document = JSON.parse(stdout) as Explained
    t.same(schemaErrors('explain', document), [], `${args.join(' ')} is valid`)
    return document
  }
  /** Solicits the address on the uplink. @returns whether an advertisement comes back within `patience` */
  const isAnswered = async (address: string, patience = 1000): Promise<boolean> => {
    const answers = () => eth0.of('NA', address).filter(({ outgoing, flags }) => outgoing && flags.includes('S')).length
    const before = answers()
    await router.inject('eth0', [ns({ target: address, from: router.mac('eth0'), source: router.linkLocal('eth0') })])
    return until(() => answers() > before, patience).then(() => true, () => false)
  }
  const first = ({ stdout }: Ended): string => stdout.split('\n')[0]
  const lineOf = (text: string): string => `${daemon.configFile}:${FILE.split('\n').findIndex((line) => line.includes(text)) + 1}`

  await until(() => vm3.reaches(SERVER, 500))
  t.equal(await server.reaches(vmAddress(2), 5000), true)

  await t.test('pinned', async (t) => {
    t.equal(await isAnswered(vmAddress(2)), true)
    const { status, stdout, stderr } = explain(vmAddress(2))
    t.equal(stderr, '')
    t.equal(first({ stdout } as Ended), '2001:db8::2 is answered on eth0 for the pinned host on eth1.')
    t.equal(status, 0)
    t.match(stdout, `subnet 2001:db8::/64 (${lineOf('subnet')})`)
    t.match(stdout, `named by the configuration (${lineOf(`host ${vmAddress(2)}`)})`)
    t.match(stdout, /route +2001:db8::2\/128 dev eth1 proto 136 \(ndp6d\) metric 16, for packets from eth0\n/)
    t.match(stdout, /groups +its solicited-node group is joined on eth0\n/)
    t.match(stdout, /\n {2}\d\d:\d\d:\d\d\.\d{3} +eth0 +fe80::\S+ \(02:00:00:00:00:01\) +multicast +answered\n/)
    t.match(json(vmAddress(2)), { verdict: 'answered', reason: 'pinned', owner: { pinned: true, interface: 'eth1', route: 'installed' } })
  })

  await t.test('learned', async (t) => {
    t.equal(await isAnswered(vmAddress(3)), true)
    const ended = explain(vmAddress(3))
    t.equal(first(ended), '2001:db8::3 is answered on eth0 for the host on eth1.')
    t.equal(ended.status, 0)
    t.match(ended.stdout, /owner +02:00:00:00:00:03 on eth1, answered \d+s ago\n/)
    const { history, owner, kernel } = json(vmAddress(3))
    t.match(owner, { lladdr: '02:00:00:00:00:03', provedAt: /^20.*Z$/, groups: ['eth0'] })
    t.ok(Date.parse(owner!.provedAt!) <= Date.now(), 'in the past')
    t.match(kernel?.route, { prefix: '2001:db8::3/128', interface: 'eth1', protocol: 136 })
    const asked = eth0.of('NS', vmAddress(3)).filter(({ outgoing }) => !outgoing)
    t.equal(history.length, Math.min(10, asked.length), 'as many solicitations as in the capture')
    t.equal(history.at(-1)?.outcome, 'answered')
  })

  await t.test('probed', async (t) => {
    t.equal(await isAnswered(SEARCHED, 100), false)
    const ended = explain(SEARCHED)
    t.equal(first(ended), '2001:db8:2::77 is not answered yet: ndp6d looks for its host on eth1.')
    t.equal(ended.status, 1)
    t.match(ended.stdout, /owner +not found yet, \d probes? on eth1\n/)
    t.match(ended.stdout, /next +next probe in \d+\w+( \d+s)?; 1 solicitor waiting\n/)
  })

  await t.test('failed', async (t) => {
    t.equal(await isAnswered(FAILED, 100), false)
    await until(() => explain(FAILED).stdout.includes('no host on'), 30_000)
    t.equal(await isAnswered(FAILED, 300), false)
    const ended = explain(FAILED)
    t.equal(first(ended), '2001:db8::78 is not answered: no host on eth1 replied.')
    t.equal(ended.status, 1)
    t.match(ended.stdout, /owner +none: 2 probes on eth1 without a reply\n/)
    await until(() => eth1.of('NS', FAILED).length >= 2)
    t.equal(eth1.of('NS', FAILED).filter(({ outgoing }) => outgoing).length, 2, 'as in the capture')
    t.same(json(FAILED).history.map(({ outcome }) => outcome), ['probing', 'failed'])
  })

  await t.test('excluded', async (t) => {
    t.equal(await isAnswered(EXCLUDED, 300), false)
    const ended = explain(EXCLUDED)
    t.equal(first(ended), '2001:db8::dead:1 is not answered: the configuration excludes it.')
    t.equal(ended.status, 1)
    t.match(ended.stdout, `excluded  2001:db8::dead:0/112 (${lineOf('exclude')})`)
    t.match(json(EXCLUDED), { verdict: 'silent', reason: 'excluded', history: [{ outcome: 'excluded' }] })
  })

  await t.test('no rule, and unknown', async (t) => {
    t.equal(await isAnswered(FOREIGN, 300), false)
    t.equal(first(explain(FOREIGN)), '2001:db8:9::1 is not answered: no rule covers it.')
    t.equal(explain(FOREIGN).status, 1)
    const ended = explain('2001:db8::99')
    t.equal(first(ended), '2001:db8::99 is unknown: ndp6d looks for its host at the next solicitation.')
    t.equal(ended.status, 1)
    t.match(ended.stdout, /search +on eth1, for solicitations on eth0\n/)
    t.match(ended.stdout, /\nNo solicitation for it is remembered\.\n/)
    t.equal(explain('fe80::1').status, 1)
    t.equal(first(explain('ff02::1')), 'ff02::1 is not answered: it is a multicast address, for which no host may solicit.')
    t.match(json('ff02::1'), { verdict: 'silent', reason: 'target-multicast' })
    t.notMatch(explain('::').stdout, 'would answer for it')
    t.equal(first(explain('::1')), '::1 is not answered: it is an address of this machine on lo, where no solicitation comes in, and no rule covers it.')
    for (const text of ['2001:db8::2/64', '[2001:db8::2]', '2001:db8::2%eth0', ' 2001:db8::2']) {
      t.match(explain(text), { status: 2, stderr: /is not an IPv6 address: did you mean `2001:db8::2`\?\n$/ }, text)
    }
  })

  await t.test('own address', async (t) => {
    t.equal(await isAnswered(PROXY), true, 'by the kernel')
    const ended = explain(PROXY)
    t.equal(first(ended), '2001:db8::ff is an address of this machine on eth0: the kernel answers there, and ndp6d on eth1.')
    t.equal(ended.status, 0)
    t.match(json(PROXY), { verdict: 'kernel-answers', reason: 'own-address', own: ['eth0'] })
  })

  await t.test('behind a router, and on a link of no rule', async (t) => {
    proxy.ip(`route add ${BEHIND}/128 via ${vm3.linkLocal('eth0')} dev eth1`, 'link add dummy0 type bridge', 'link set dummy0 up',
      `addr add ${ELSEWHERE}/128 dev dummy0 nodad`)
    t.equal(await isAnswered(BEHIND, 100), false)
    await until(() => explain(BEHIND).stdout.includes('no host on'))
    t.match(explain(BEHIND).stdout, `The kernel routes ${BEHIND}/128 via ${vm3.linkLocal('eth0')}: for hosts behind a router, add \`rule ${BEHIND
    }/128 { auto }\` to a block \`proxy eth0\``)
    const behind = json(BEHIND)
    const kernel = { ...behind.kernel!, route: { ...behind.kernel!.route!, prefix: '::/0' } }
    t.notMatch(printExplanation({ ...behind, kernel }), /\{ auto \}/, 'not for a default route')
    await until(() => explain(ELSEWHERE).stdout.includes('dummy0'))
    t.equal(await isAnswered(ELSEWHERE, 300), false)
    t.match(explain(ELSEWHERE).stdout, /Nothing answers for it on eth0 and eth1, because no rule there leads to dummy0: name dummy0 in the rule, /)
    t.notMatch(explain(PROXY).stdout, /Nothing answers/)
    t.notMatch(explain(FAILED).stdout, /\{ auto \}/)
    proxy.ip('link del dummy0', `route del ${BEHIND}/128`)
  })

  await t.test('static rule', async (t) => {
    t.equal(await isAnswered(STATIC), true)
    t.equal(first(explain(STATIC)), '2001:db8:1::5 is answered on eth0 by a static rule, whether or not a host has it.')
    t.match(explain(STATIC).stdout, `proxy eth0, static 2001:db8:1::/112 (${lineOf('rule')})`)
  })

  await t.test('proxy entry of the kernel', async (t) => {
    proxy.ip(`neigh add proxy ${PROXIED} dev eth0`)
    t.equal(await isAnswered(PROXIED, 300), false, 'proxy_ndp is off')
    t.equal(first(explain(PROXIED)), '2001:db8:9::2 is not answered: no rule covers it.')
    t.match(explain(PROXIED).stdout, /proxy +entry of the kernel on eth0, without effect/)
    proxy.sysctl({ 'conf/eth0/proxy_ndp': 1, 'neigh/eth0/proxy_delay': 0 })
    proxy.ip(`route add ${PROXIED}/128 dev eth1`)
    t.equal(await isAnswered(PROXIED), true)
    const ended = explain(PROXIED)
    t.equal(first(ended), '2001:db8:9::2 is answered by the kernel, which has a proxy entry on eth0.')
    t.equal(ended.status, 0)
  })

  await t.test('--probe sends one solicitation, and shows the time until the reply', async (t) => {
    const sent = (address: string): number => eth1.of('NS', address).filter(({ outgoing }) => outgoing).length
    const before = sent(vmAddress(2))
    const { stdout, status } = explain('--probe', vmAddress(2))
    t.match(stdout, /probe +02:00:00:00:00:02 on eth1 replied in [\d.]+ ms\n/)
    t.equal(status, 0)
    await until(() => sent(vmAddress(2)) > before)
    const silent = json('--probe', '2001:db8::9a')
    t.same(silent.probe, ['eth1', 'eth0'].map((iface) => ({ interface: iface, lladdr: null, roundTripMs: null })))
    await until(() => sent('2001:db8::9a') > 0)
    t.equal(sent('2001:db8::9a'), 1, 'once')
    await stage.addVm(5)
    const found = json('--probe', vmAddress(5))
    t.match(found.probe, [{ interface: 'eth1', lladdr: '02:00:00:00:00:05', roundTripMs: Number }, { interface: 'eth0', roundTripMs: null }])
    t.match(found, { verdict: 'answered', reason: 'learned' }, 'and the host is known afterwards')
    t.match(explain('--probe', EXCLUDED).stdout, /probe +not sent/)
  })

  await daemon.stop()
  await t.test('without a daemon', async (t) => {
    const { status, stdout, stderr } = explain(vmAddress(2), '--json')
    t.equal(status, 3)
    t.match(stderr, /^ndp6d: not running/)
    const document = JSON.parse(stdout) as object
    t.same(schemaErrors('explain', document), [])
    t.match(document, { running: false, verdict: null, reason: 'not-running', history: null })
    t.equal(explain('2001:db8::x').status, 2)
    t.match(explain('2001:db8::x').stderr, /^ndp6d: "2001:db8::x" is not an IPv6 address/)
    t.equal(explain().status, 2)
  })
})
