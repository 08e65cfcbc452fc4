/** The daemon without a free file descriptor (RLIMIT_NOFILE of getrlimit(2)). */
import t, { type Test } from 'tap'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { controlPath } from '../../src/cli/service-directories.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { command, type Ended, ENV, run, writeFiles } from '../fixtures/program.ts'
import { BATCH, Solicitor } from '../fixtures/solicitor.ts'
import { parseRecord, type LogRecord } from '../lab/kit/daemon.ts'
import { Proc } from '../lab/kit/process.ts'

await ownNamespace()
veth('eth0', 'far0', 'far0')
veth('eth1', 'far1', 'far1')

const files = writeFiles({ 'ndp6d.conf':
  'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1 tap*\n  host 2001:db8::2 eth1\n  host 2001:db8::3 tap0\n}\n' })
t.teardown(files.close)
const RUN = { RUNTIME_DIRECTORY: files.path('run') }
const [old, late] = [new Solicitor('far0', '2001:db8::2'), new Solicitor('far0', '2001:db8::3')]
t.teardown(() => [old, late].forEach((each) => each.close()))

/** Starts with a limit of open files. @param limit soft and hard limit: Node raises the soft one to the hard one */
function start(t: Test, limit: number): Proc {
  const argv = ['prlimit', `--nofile=${limit}`, ...command('--config', files.path('ndp6d.conf'))]
  const daemon = new Proc(argv, { ...ENV, ...RUN })
  t.teardown(() => daemon.stop('SIGKILL'))
  return daemon
}

const limitTo = (daemon: Proc, limit: number): string => sh(`prlimit --pid ${daemon.pid} --nofile=${limit}:1024`)
const status = (): Ended => run(command('status', '--json'), RUN)

/** @returns the least number that is no open descriptor of the daemon, between the discoveries of hosts, which take 3 s */
async function lowestFree(daemon: Proc): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 50; i++) {
    const open = readdirSync(`/proc/${daemon.pid}/fd`)
    least = Math.min(least, open.findIndex((_, fd) => !open.includes(String(fd))) >>> 0, open.length)
    await sleep(100)
  }
  return least
}

function records(daemon: Proc, reason: string): LogRecord[] {
  return daemon.lines.map(parseRecord).filter((record) => record.reason === reason)
}

t.test('started with few descriptors, it works, or ends with a reason', async (t) => {
  for (const limit of [21, 28, 34, 35, 37, 40, 55]) {
    const daemon = start(t, limit)
    await Promise.race([daemon.line(/\bready\b/).catch(() => {}), daemon.exited])
    if (daemon.running) {
      if (limit >= 50) {
        await old.first()
        await old.solicit(BATCH)
      } else {
        await sleep(2000) // two more attempts to open the sockets of the links
        t.ok(daemon.running && records(daemon, 'EMFILE').length < 8, 'it goes on, and logs each error once')
      }
      t.equal(await daemon.stop(), 0, `limit ${limit}`)
    } else {
      t.ok(limit < 36, `limit ${limit}`)
      t.equal(await daemon.exited, 1)
      t.match(daemon.lines.join('\n'), /cannot start: too many open files .*`LimitNOFILE=`/)
    }
    t.notMatch(daemon.lines.join('\n'), /^ {4}at /m, 'no stack')
  }
})

for (const spare of [-12, 0, 1]) {
  t.test(`a new link with ${spare} descriptors left is served when there are more`, async (t) => {
    const daemon = start(t, 1024)
    await daemon.line(/\bready\b/)
    await old.first()
    await until(() => status().status === 0)
    limitTo(daemon, await lowestFree(daemon) + spare)
    veth('tap0', 'end0', 'end0')
    t.teardown(() => sh('ip link del tap0'))
    const errors = () => records(daemon, 'EMFILE').filter(({ iface }) => iface === 'tap0')
    await until(() => errors().length > 0)
    daemon.child.kill('SIGHUP')
    await daemon.line(/reloaded|the former configuration stays in force/)
    for (const signal of ['SIGUSR1', 'SIGHUP'] as const) daemon.child.kill(signal)
    status()
    await old.solicit(20 * BATCH)
    t.match(errors(), [{ msg: /^tap0: .*too many open files; raise `LimitNOFILE=`/ }], 'logged once')
    limitTo(daemon, 1024)
    await daemon.line(/\btap0\b.* sockets are open now/)
    await late.first()
    t.equal(status().status, 0)
    t.equal(await daemon.stop(), 0)
  })
}

t.test('50 idle commands leave descriptors to the links', async (t) => {
  const daemon = start(t, 1024)
  await daemon.line(/\bready\b/)
  await old.first()
  limitTo(daemon, await lowestFree(daemon) + 20)
  const path = controlPath(RUN)
  // Such a client does not close its side when the server does.
  const idle: Socket[] = Array.from({ length: 50 }, () => connect({ path, allowHalfOpen: true }).on('error', () => {}).resume())
  t.teardown(() => idle.forEach((socket) => socket.destroy()))
  const open = (): number => idle.filter(({ readableEnded, closed }) => !readableEnded && !closed).length
  await until(() => open() <= 32, undefined, 'excess commands are closed')
  t.ok(open() > 0, `${open()} are kept`)
  veth('tap0', 'end0', 'end0')
  t.teardown(() => sh('ip link del tap0'))
  await late.first()
  await until(() => open() === 0)
  t.same(records(daemon, 'EMFILE'), [])
  t.equal(status().status, 0)
  t.equal(await daemon.stop(), 0)
})
