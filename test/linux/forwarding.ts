import { mock } from 'node:test'
import t from 'tap'
import { enableForwarding, Forwarding } from '../../src/linux/forwarding.ts'
import { readSetting, writeSetting } from '../../src/linux/sysctl.ts'
import { fakeKernel, hex } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()
sh('ip link add up0 type veth peer name down0')

/** RTM_NEWNETCONF: AF_INET6, NETCONFA_IFINDEX -1 (all), NETCONFA_FORWARDING 0. */
const CHANGED = hex('24000000 5000 0000 00000000 00000000  0a000000  0800 0100 ffffffff  0800 0200 00000000')
const ENOBUFS = Object.assign(new Error('lost'), { code: 'ENOBUFS' })

function watch(isEnabled: boolean, open?: ConstructorParameters<typeof Forwarding>[3]) {
  const lines: string[] = []
  const log = {
    warn: (_: object, text: string) => { lines.push(`warning: ${text}`) },
    info: (_: object, text: string) => { lines.push(text) },
  }
  const states: boolean[] = []
  const needs = { isEnabled, upstreams: ['up0'], links: ['up0', 'down0'] }
  const forwarding = new Forwarding(log, () => needs, { changed: (isForwarding) => { states.push(isForwarding) } }, open)
  forwarding.start()
  return { forwarding, needs, log, states, take: () => lines.splice(0) }
}

t.test('forwarding yes: which settings are changed, in which order', async (t) => {
  sh('ip link add eth0.7 type veth peer name down1; ip link add off0 type veth peer name static0')
  writeSetting('all', 'forwarding', 0)
  writeSetting('eth0.7', 'accept_ra', 1)
  writeSetting('off0', 'accept_ra', 0)
  t.strictSame(enableForwarding(['eth0.7', 'off0', 'nowhere']), [
    { iface: 'eth0.7', setting: 'accept_ra', from: 1, to: 2 },
    { iface: 'all', setting: 'forwarding', from: 0, to: 1 },
  ], 'accept_ra first, or the kernel removes its default routes')
  t.equal(readSetting('eth0.7', 'accept_ra'), 2)
  t.equal(readSetting('off0', 'accept_ra'), 0, '0 stays 0')
  t.equal(readSetting('static0', 'accept_ra'), 1, 'no upstream')
  t.equal(readSetting('down1', 'forwarding'), 1, 'on all links')
  t.strictSame(enableForwarding(['eth0.7', 'off0']), [], 'nothing to do')
})

t.test('the kernel reports a change', async (t) => {
  writeSetting('all', 'forwarding', 0)
  writeSetting('up0', 'accept_ra', 1)
  const { forwarding, take } = watch(true)
  forwarding.prepare()
  t.strictSame(take(), ['net.ipv6.conf.up0.accept_ra set from 1 to 2', 'net.ipv6.conf.all.forwarding set from 0 to 1'])
  writeSetting('all', 'forwarding', 0)
  await until(() => readSetting('all', 'forwarding') === 1)
  t.match(take(), [/^warning: another program set net.ipv6.conf.all.forwarding to 0: it is 1 again; if it is to stay 0, /])
  forwarding.close()
})

t.test('forwarding yes: set again at most once a second', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const kernel = fakeKernel(() => [])
  const { forwarding, take } = watch(true, kernel.open)
  forwarding.prepare()
  take()
  for (let second = 0; second < 25; second++) {
    writeSetting('all', 'forwarding', 0)
    kernel.emit(CHANGED, CHANGED)
    t.equal(readSetting('all', 'forwarding'), 0, 'not at once')
    mock.timers.tick(1000)
    t.equal(readSetting('all', 'forwarding'), 1)
  }
  t.equal(take().length, 25)
  writeSetting('up0', 'accept_ra', 1)
  kernel.emit(CHANGED)
  mock.timers.tick(1000)
  t.strictSame(take(), ['net.ipv6.conf.up0.accept_ra set from 1 to 2'])
  writeSetting('all', 'forwarding', 0)
  kernel.emit(ENOBUFS)
  mock.timers.tick(1000)
  t.equal(readSetting('all', 'forwarding'), 1, 'messages were lost')
  kernel.emit(CHANGED)
  forwarding.close()
  writeSetting('all', 'forwarding', 0)
  mock.timers.tick(10_000)
  t.equal(readSetting('all', 'forwarding'), 0, 'closed')
  t.end()
})

t.test('without: one warning for each time that forwarding is off', (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const kernel = fakeKernel(() => [])
  writeSetting('all', 'forwarding', 0)
  const { forwarding, needs, take } = watch(false, kernel.open)
  const OFF = /^warning: this machine does not forward IPv6: .*`forwarding yes`.*sysctl -w/
  forwarding.prepare()
  t.match(take(), [OFF])
  const set = (value: number) => {
    writeSetting('all', 'forwarding', value)
    kernel.emit(CHANGED)
    mock.timers.tick(1000)
    return take()
  }
  t.strictSame(set(0), [])
  t.strictSame(set(1), ['this machine forwards IPv6 again'])
  t.strictSame(set(1), [])
  t.match(set(0), [OFF])
  forwarding.prepare()
  t.match(take(), [OFF], 'a reload warns again')
  t.equal(readSetting('all', 'forwarding'), 0)
  needs.isEnabled = true
  forwarding.prepare()
  t.match(take().at(-1), /set from 0 to 1/)
  needs.isEnabled = false
  forwarding.prepare()
  t.strictSame(take(), [])
  forwarding.close()
  t.end()
})

t.test('links that forward by themselves', { skip: readSetting('up0', 'force_forwarding') === undefined && 'since Linux 6.17' }, (t) => {
  const { forwarding, take } = watch(false)
  writeSetting('all', 'forwarding', 0)
  writeSetting('up0', 'force_forwarding', 1)
  forwarding.prepare()
  t.match(take(), [/does not forward/])
  writeSetting('down0', 'force_forwarding', 1)
  forwarding.prepare()
  t.strictSame(take(), [])
  forwarding.close()
  t.end()
})
