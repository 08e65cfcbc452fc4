/** The checks that the daemon makes itself: findings come and go, each with one log record. */
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Subject } from '../../src/doctor/check.ts'
import type { Kernel } from '../../src/doctor/machine.ts'
import { Machine } from '../../src/doctor/machine.ts'
import { FindingWatch } from '../../src/doctor/watch.ts'
import type { Log } from '../../src/linux/log.ts'
import { NO_ROUTE } from '../../src/linux/rtnetlink.ts'
import { parseConfig } from '../../src/config/load.ts'
import { Address } from '../../src/address.ts'
import { until } from '../kit/until.ts'

const CONFIG = 'subnet 2001:db8::/64 {\n upstream lo9\n downstream lo8\n}\nproxy lo7 { rule 2001:db8:1::/64 { static } }'
const address = (text: string): Address => Address.parse(text)!

t.test('findings come and go', async (t) => {
  const proxies: { ifindex: number; address: Address; lladdr: undefined; state: number; proxy: true; router: false }[] = []
  const link = { ifindex: 5, name: 'lo9', mac: undefined, up: true, replugged: false, isEnabled: true, type: undefined }
  let isBusy = false
  const kernel: Kernel = {
    linkDetails: () => [link], addressStates: () => [], neighbors: () => [], lookup: () => NO_ROUTE, paths: () => [],
    defaultRoutes: () => [{ address: address('fe80::1'), ifindex: 5, protocol: 3 }],
    proxies: () => {
      if (isBusy) throw Object.assign(new Error('busy'), { code: 'EINTR' })
      return proxies
    },
  }
  const { config } = parseConfig(CONFIG, 'ndp6d.conf')
  const records: [string, object, string][] = []
  const subject = (): Omit<Subject, 'neighbors'> => ({ machine: new Machine(kernel), config,
    daemon: { pid: process.pid, received: {}, silent: [] } })
  const log: Log = { info: (...record) => { records.push(['info', ...record]) }, warn: (...record) => { records.push(['warn', ...record]) } }
  const watch = new FindingWatch(subject, log, { first: 1, interval: 20 })
  t.teardown(() => watch.close())
  const about = () => records.filter(([, fields]) => (fields as { reason: string }).reason === 'kernel-proxy')
  const codes = () => watch.findings.map(({ code }) => code)
  const count = (wanted: string) => watch.counts.find(({ code }) => code === wanted)
  t.same(count('kernel-proxy'), { code: 'kernel-proxy', severity: 'warning', count: 0 }, 'each check has a count from the start')
  t.equal(count('firewall-nd'), undefined, 'only those that the daemon makes')
  watch.start()
  await until(() => codes().includes('static-prefix'))
  t.notMatch(codes(), ['kernel-proxy'])
  proxies.push({ ifindex: 5, address: address('2001:db8::7'), lladdr: undefined, state: 0x80, proxy: true, router: false })
  await until(() => codes().includes('kernel-proxy'))
  t.match(watch.findings.find(({ code }) => code === 'kernel-proxy'), { severity: 'warning', what: /2001:db8::7 on lo9/,
    mend: 'ip -6 neigh del proxy 2001:db8::7 dev lo9' })
  t.match(count('kernel-proxy'), { count: 1 })
  isBusy = true
  await sleep(100)
  t.ok(codes().includes('kernel-proxy'), 'what cannot be looked at stays as it was')
  t.match(about(), [['warn', { event: 'finding', state: 'found', iface: 'lo9', target: '2001:db8::7' }, /run `ip -6 neigh del/]], 'one record')
  isBusy = false
  proxies.length = 0
  await until(() => !codes().includes('kernel-proxy'))
  t.match(about().slice(1), [['info', { event: 'finding', state: 'gone' }, /^no longer true: /]])
  t.same(records.filter(([, fields]) => (fields as { reason: string }).reason === 'static-prefix'), [], 'others have records of their own')
  watch.close()
  const { length } = records
  proxies.push({ ifindex: 5, address: address('2001:db8::8'), lladdr: undefined, state: 0x80, proxy: true, router: false })
  await sleep(100)
  t.equal(records.length, length, 'none after the end')
})
