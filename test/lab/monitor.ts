/** `ndp6d monitor` beside a real daemon. */
import { dirname } from 'node:path'
import t from 'tap'
import type { MonitorEvent } from '../../src/replies/monitor.ts'
import { command, ENV, run } from '../fixtures/program.ts'
import { ns } from '../kit/frames.ts'
import { schemaErrors } from '../kit/schema.ts'
import { Proc } from './kit/process.ts'
import { CONFIG, scene, until, vmAddress } from './kit/scene.ts'

t.test('packets and events of one address', async (t) => {
  const stage = await scene(t, [2])
  const { router, server } = stage
  const daemon = await stage.start(CONFIG)
  const RUN = { RUNTIME_DIRECTORY: dirname(daemon.configFile) }
  const monitor = (...args: string[]): Proc => {
    const proc = new Proc(command('monitor', ...args), { ...ENV, ...RUN })
    t.teardown(() => proc.stop('SIGKILL'))
    return proc
  }
  const solicit = (target: string) => router.inject('eth0', [ns({ target, from: router.mac('eth0'), source: router.linkLocal('eth0') })])

  const json = monitor('--json', '--target', vmAddress(2))
  await json.line(/"schema"/)
  const text = monitor('--kind', 'answered,neighbor', '--link', 'eth0', '--count', '2')
  await until(() => run(command('status', '--json'), RUN).stdout.includes('"used": 3'))
  t.equal(await server.reaches(vmAddress(2), 5000), true)
  await until(async () => {
    await solicit(vmAddress(2))
    await solicit('2001:db8::9:9')
    return !text.running
  }, 10_000)
  t.equal(text.child.exitCode, 0, '--count ends it')
  t.match(text.lines[0], /^\d\d:\d\d:\d\d\.\d{3} {2}eth0 {6}answered {8}2001:db8::2 +to fe80::ff:fe00:1/)
  t.match(text.lines.at(-1), /^\d+ s: 2 answered$/)

  await until(() => json.lines.some((line) => line.includes('"neighbor"')) && json.lines.some((line) => line.includes('"answered"')))
  const [first, ...events] = json.lines.map((line) => JSON.parse(line) as MonitorEvent)
  t.match(first, { schema: 'ndp6d/event/1', running: true, since: /Z$/ })
  for (const document of [first, ...events]) if (schemaErrors('event', document).length > 0) t.fail(JSON.stringify(document))
  t.ok(events.every(({ target }) => target === vmAddress(2)), 'only this address')
  t.ok(events.some(({ event, reason }) => event === 'answered' && (reason === 'answered' || reason === 'waited')))
  json.child.kill('SIGINT')
  await until(() => !json.running)
  t.equal(json.child.exitCode, 0)

  t.equal(run(command('monitor', '--kind', 'odd'), RUN).status, 2)
  t.equal(run(command('monitor', '--target', 'odd'), RUN).status, 2)
  t.equal(run(command('monitor', '--count', '0'), RUN).status, 2)
  t.match(run(command('monitor', '--top'), RUN), { status: 2, stderr: /--top needs a terminal/ })

  const top = new Proc(['script', '-qec', command('monitor', '--top').map((word) => `'${word}'`).join(' '), '/dev/null'], { ...ENV, ...RUN })
  t.teardown(() => top.stop('SIGKILL'))
  await until(async () => {
    await solicit(vmAddress(2))
    return top.lines.some((line) => line.includes('2001:db8::2 ')) && top.lines.some((line) => /^eth0 +[1-9\d.]/.test(line))
  }, 10_000)
  t.match(top.lines.join('\n'), '\x1b[?1049h', 'the alternate screen')
  top.child.kill('SIGTERM')
  await daemon.stop()
  const { status, stdout } = run(command('monitor', '--json'), RUN)
  t.equal(status, 3)
  t.same(schemaErrors('event', JSON.parse(stdout)), [])
})
