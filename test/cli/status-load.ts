/** `ndp6d status` while a host scans the /64, and with many hosts. */
import t from 'tap'
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Status } from '../../src/replies/status.ts'
import { command, ENV, startDaemon, writeFiles } from '../fixtures/program.ts'
import { schemaErrors } from '../kit/schema.ts'
import { native } from '../../src/linux/native.ts'
import { ns } from '../kit/frames.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'

await ownNamespace()
veth('eth0', 'far0', 'far0')
veth('eth1', 'far1', 'far1')
const HOSTS = 4096
const hosts = Array.from({ length: HOSTS }, (_, i) => `  host 2001:db8::1:${i.toString(16)}\n`).join('')
const files = writeFiles({ 'few.conf': 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host 2001:db8::2\n}\n',
  'many.conf': `subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n${hosts}}\n` })
t.teardown(files.close)
const RUN = { RUNTIME_DIRECTORY: files.path('run') }
const SLOT = 128
const RATE = 4000

/** Solicits for RATE addresses in a second, each time another one, until `isOver`. @returns how many were solicited */
async function scan(isOver: () => boolean): Promise<number> {
  const socket = native.openPacket({ ifindex: Number.parseInt(sh('ip -o link show dev far0'), 10), protocol: 0x86dd, filter: new Uint8Array(),
    promiscuous: true, receiveBuffer: 2 ** 16, cooked: false })
  const BATCH = RATE / 100
  let sent = 0
  for (const began = performance.now(); !isOver(); await sleep(1)) {
    if (sent >= (performance.now() - began) * RATE / 1000) continue
    const slab = new Uint8Array(BATCH * SLOT)
    const lengths = new Int32Array(BATCH)
    for (let i = 0; i < BATCH; i++) {
      const frame = ns({ from: '02:00:00:00:00:01', source: 'fe80::1', target: `2001:db8::8000:${(++sent >>> 16).toString(16)}:${(sent & 0xffff).toString(16)}` })
      slab.set(frame, i * SLOT)
      lengths[i] = frame.length
    }
    socket.send(slab, SLOT, lengths, BATCH)
  }
  socket.close()
  return sent
}

/** @returns what the command wrote, and how long it took */
async function timed(...args: string[]): Promise<{ stdout: string; ms: number }> {
  const [program, ...rest] = command('status', ...args)
  const began = performance.now()
  const { stdout } = await promisify(execFile)(program, rest, { env: { ...process.env, ...ENV, ...RUN }, maxBuffer: 2 ** 28 })
  return { stdout, ms: performance.now() - began }
}

t.test('during a scan', async (t) => {
  await startDaemon(t, [files.path('few.conf')], RUN)
  let isOver = false
  const scanning = scan(() => isOver)
  await sleep(2000)
  const results = []
  for (let i = 0; i < 5; i++) results.push(await timed())
  const { stdout: json } = await timed('--json')
  const { stdout: all } = await timed('--all', '--json')
  isOver = true
  t.comment(`${await scanning} addresses solicited; status took ${results.map(({ ms }) => Math.round(ms)).join(', ')} ms`)
  for (const { stdout } of results) {
    const lines = stdout.trimEnd().split('\n')
    t.ok(lines.length <= 60 && lines.every((line) => line.length <= 80), `${lines.length} lines`)
    t.match(stdout, /^unknown targets: \d+ FAILED, \d+ being probed$/m)
  }
  t.same([json, all].map((text) => schemaErrors('status', text)), [[], []])
  const [some, everything] = [json, all].map((text) => JSON.parse(text) as Status)
  t.equal(some.hosts.length, 1, 'owners only')
  t.ok(everything.hosts.length > 100 && everything.unknown.failed + everything.unknown.probing > 100, 'the others on demand')
})

t.test(`with ${HOSTS} hosts`, async (t) => {
  await startDaemon(t, [files.path('many.conf')], RUN)
  const results = [await timed(), await timed('hosts'), await timed('--json')]
  t.comment(`the overview, the hosts and JSON took ${results.map(({ ms }) => Math.round(ms)).join(', ')} ms`)
  t.match(results[0].stdout, /^\d+ hosts, 4096 pinned, \d+ host routes$/m)
  t.equal(results[1].stdout.match(/^2001:db8::1:/gm)?.length, HOSTS)
  t.equal((JSON.parse(results[2].stdout) as Status).hosts.filter(({ pinned }) => pinned).length, HOSTS)
})
