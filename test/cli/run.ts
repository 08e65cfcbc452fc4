/** `ndp6d --config FILE`: privileges, signals and exit statuses of the daemon. */
import t from 'tap'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { command, ENV, ndp6d, run, startDaemon, writeFiles } from '../fixtures/program.ts'
import { parseRecord } from '../lab/kit/daemon.ts'
import { Proc } from '../lab/kit/process.ts'

await ownNamespace()
veth('eth0', 'far0')
sh('ip -6 addr add 2001:db8::ff/64 dev eth0 nodad')

const SUBNET = 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host 2001:db8::1 eth0\n}\n'
const files = writeFiles({ 'ndp6d.conf': SUBNET, 'other.conf': 'proxy eth0 {\n  rule 2001:db8:7::/64 { auto }\n}\n' })
t.teardown(files.close)
const file = files.path('ndp6d.conf')

async function start(...args: string[]): Promise<Proc> {
  writeFileSync(file, SUBNET)
  return startDaemon(t, [file, ...args])
}

/** @returns the record that SIGUSR1 causes */
async function counters(daemon: Proc): Promise<{ counters: Record<string, number>; neighbors: { target: string }[] }> {
  const from = daemon.lines.length
  daemon.child.kill('SIGUSR1')
  return JSON.parse(await daemon.line(/"counters":\{/, 3000, from)) as Awaited<ReturnType<typeof counters>>
}

async function reload(daemon: Proc, config: string, reply: RegExp): Promise<string> {
  writeFileSync(file, config)
  const from = daemon.lines.length
  daemon.child.kill('SIGHUP')
  return daemon.line(reply, 3000, from)
}

t.test('the log has missing links, and when the daemon is ready', async (t) => {
  const daemon = await start()
  t.same(daemon.lines.map((line) => parseRecord(line).msg).filter((msg) => /eth1|ready/.test(msg)),
    ['eth1 does not exist; waiting for it (links here: eth0, far0)', `ready, with the configuration ${file}`])
  await daemon.stop()
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} stops it cleanly`, async (t) => {
    const daemon = await start()
    t.equal(await daemon.stop(signal), 0)
    t.equal(parseRecord(daemon.lines.at(-1)!).msg, `stopped by ${signal}`)
    t.equal(sh('ip -6 route show proto 136'), '', 'no route stays')
  })
}

t.test('SIGUSR2 stops it for a restart: routes stay, and expire', async (t) => {
  const daemon = await start()
  sh('ip -6 route add 2001:db8::99/128 dev eth0 proto 136 metric 16')
  t.equal(await daemon.stop('SIGUSR2'), 0)
  t.match(parseRecord(daemon.lines.at(-1)!).msg, /^stopped by SIGUSR2 for a restart/)
  await start().then((next) => next.stop())
  t.equal(sh('ip -6 route show proto 136'), '')
})

t.test('a signal during the start waits for its end, and no route stays', async (t) => {
  sh('for i in $(seq 1000 2999); do echo "route add 2001:db8::$i/128 dev eth0 proto 136 metric 16 expires 60"; done | ip -6 -batch -')
  writeFileSync(file, SUBNET.replace('eth1', 'eth0').replace('upstream eth0', 'upstream eth1'))
  const daemon = new Proc(command('--config', file), ENV)
  t.teardown(() => daemon.stop('SIGKILL'))
  await daemon.line(/eth1 does not exist/)
  t.equal(await daemon.stop('SIGTERM'), 0)
  t.equal(sh('ip -6 route show proto 136'), '')
})

t.test('SIGUSR1 logs counters and opens no debugger', async (t) => {
  const daemon = await start()
  const { counters: counts, neighbors } = await counters(daemon)
  t.equal(counts.answered, 0)
  t.match(daemon.lines.join('\n'), /counters since the start: /)
  t.ok(Object.keys(counts).length > 30, 'every outcome has a counter')
  t.match(neighbors, [{ target: '2001:db8::1', state: 'REACHABLE', iface: 'eth0', pinned: true, routed: false }])
  t.notMatch(daemon.lines.join('\n'), /debugger/i)
  const sockets = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1))
  t.same(sockets, [], 'no listening port')
  await daemon.stop()
})

t.test('SIGHUP reloads the file; a bad one changes nothing', async (t) => {
  const daemon = await start()
  const targets = async (): Promise<string[]> => (await counters(daemon)).neighbors.map(({ target }) => target)
  const refused = await reload(daemon, SUBNET.replace('host', 'hots'), /the former configuration stays in force/)
  t.equal(parseRecord(refused).msg.replace(/, that of .*/, ''),
    `${file}:4:3: error: \`hots\` is not known in a \`subnet\` block (1 error): the former configuration stays in force`,
    'the last line repeats the problem')
  await daemon.line(new RegExp(`^${file.replaceAll('.', '\\.')}:4:3: error: `))
  t.same(await targets(), ['2001:db8::1'])
  await reload(daemon, SUBNET.replace('::1', '::3'), /reloaded/)
  t.same(await targets(), ['2001:db8::3'])
  t.equal(await daemon.stop(), 0)
})

t.test('SIGHUP with a FIFO changes nothing, and is not waited for', async (t) => {
  const daemon = await start()
  sh(`mkfifo ${files.path('fifo')}; mv ${file} ${file}.kept; ln -s fifo ${file}`)
  t.teardown(() => sh(`mv ${file}.kept ${file}; rm ${files.path('fifo')}`))
  daemon.child.kill('SIGHUP')
  await daemon.line(/the former configuration stays in force/)
  t.match(daemon.lines.join('\n'), `cannot read ${file}: not a regular file: it cannot be read again; restart ndp6d: the former configuration`, 'with the reason')
  sh(`rm ${file}`)
  await reload(daemon, `include fifo\n${SUBNET}`, /the former configuration stays in force/)
  t.match(daemon.lines.join('\n'), /fifo` cannot be read: not a regular file/)
  t.same((await counters(daemon)).neighbors.map(({ target }) => target), ['2001:db8::1'])
  t.equal(await daemon.stop(), 0)
})

t.test('the state file is in the directory of --state, else in that of systemd', async (t) => {
  const cases: readonly (readonly [string[], string | undefined, string | undefined])[] = [
    [[], undefined, undefined], [['--state', 'own'], 'given', 'own'], [[], 'given', 'given'], [[], 'given:other', 'given'],
    [['--state', ''], 'given', undefined],
  ]
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  for (const [args, given, read] of cases) {
    const states = writeFiles({ 'own/hosts.json': 'x', 'given/hosts.json': 'x', 'other/hosts.json': 'x' })
    const paths = (names: string): string => names.split(':').map(states.path).join(':')
    process.chdir(states.path('other')) // an empty path would be here
    const daemon = new Proc(command('--config', file, ...args.map((arg) => arg === 'own' ? states.path(arg) : arg)),
      { ...ENV, STATE_DIRECTORY: given === undefined ? '' : paths(given) })
    t.teardown(() => daemon.stop('SIGKILL'))
    await daemon.line(/\bready\b/)
    const damaged = ['own', 'given', 'other'].filter((name) => existsSync(states.path(`${name}/hosts.json.damaged`)))
    t.same(damaged, read === undefined ? [] : [read], `${args.join(' ')}, STATE_DIRECTORY=${given}`)
    const warnings = daemon.lines.map((line) => parseRecord(line).msg).filter((msg) => msg.includes('hosts.json is damaged'))
    t.equal(warnings.length, damaged.length)
    t.equal(await daemon.stop(), 0)
    states.close()
  }
})

t.test('two problems of the state directory within a minute are two warnings', async (t) => {
  const daemon = await start('--state', file)
  t.equal(await daemon.stop(), 0)
  const warnings = daemon.lines.map(parseRecord).filter(({ event, msg }) => event === 'state-file' && msg.includes('hosts.json'))
  // The sum of repetitions has their number.
  t.same(warnings.map(({ msg, count }) => [msg.replace(/hosts.json .*/, ''), count]),
    [[`cannot read ${file}/`, undefined], [`cannot write ${file}/`, undefined]])
})

t.test('a second daemon is refused, the first goes on', async (t) => {
  const daemon = await start()
  for (const config of [file, files.path('other.conf')]) {
    const { status, stdout } = ndp6d('--config', config)
    t.equal(status, 1)
    t.equal(parseRecord(stdout.split('\n')[0]).msg,
      'another ndp6d runs in this network namespace: stop it, or put both configurations into one file (`include`)')
  }
  t.same((await counters(daemon)).neighbors.length, 1)
  t.equal(await daemon.stop(), 0)
})

t.test('without privileges, the error names them', (t) => {
  const { status, stdout } = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('--config', file)])
  t.equal(status, 4)
  t.match(stdout, /not permitted \(.*\): ndp6d needs CAP_NET_RAW and CAP_NET_ADMIN; run it as root, or as the systemd service/)
  t.end()
})

t.test('with CAP_NET_RAW alone it answers, says so once, and changes nothing', async (t) => {
  writeFileSync(file, `forwarding yes\n${SUBNET.replace('eth1', 'far0').replace('2001:db8::1 eth0', '2001:db8::9 far0')}`)
  const settings = (): string => sh('cd /proc/sys/net/ipv6/conf; cat all/forwarding eth0/accept_ra')
  const before = settings()
  const only = '-all,+net_raw'
  const daemon = new Proc(['setpriv', '--bounding-set', only, '--inh-caps', only, '--ambient-caps', only, ...command('--config', file)], ENV)
  t.teardown(() => daemon.stop('SIGKILL'))
  await daemon.line(/\bready\b/)
  const warnings = daemon.lines.map(parseRecord).filter(({ level }) => Number(level) >= 40).map(({ msg }) => msg)
  t.match(warnings, [/^CAP_NET_ADMIN is missing: solicitations are answered, /, /^this machine does not forward IPv6/])
  t.equal(settings(), before)
  t.equal(sh('ip -6 route show proto 136; nft list ruleset'), '')
  t.equal((await counters(daemon)).neighbors[0].target, '2001:db8::9')
  t.equal(await daemon.stop(), 0)
})

t.test('--level and --log', async (t) => {
  const daemon = await start('--level', 'debug', '--log', 'terminal')
  t.match(daemon.lines.at(-1), /^\d\d:\d\d:\d\d info {2}ready, /)
  t.match(ndp6d('--config', file, '--level', 'error', '--log', 'terminal').stdout, /^\d\d:\d\d:\d\d error another ndp6d .*\n$/, 'one line')
  await daemon.stop()
})
