/** Another program turns forwarding off while the daemon runs. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { CONFIG, scene, SERVER, until } from './kit/scene.ts'

const warnings = (records: readonly { readonly msg: string }[], pattern: RegExp) => records.filter(({ msg }) => pattern.test(msg))

t.test('forwarding yes: it is set again, with accept_ra of the upstream', async (t) => {
  const { proxy, vms: [vm2], start } = await scene(t, [2])
  const daemon = await start(`forwarding yes\n${CONFIG}`)
  await until(() => vm2.reaches(SERVER, 500))
  const settings = () => [proxy.readSysctl('conf/all/forwarding'), proxy.readSysctl('conf/eth1/forwarding'), proxy.readSysctl('conf/eth0/accept_ra')]
  for (const count of [1, 2]) {
    proxy.sysctl({ 'conf/all/forwarding': 0, 'conf/eth0/accept_ra': 1 })
    await until(() => `${settings()}` === '1,1,2')
    t.pass(`time ${count}`)
  }
  await until(() => vm2.reaches(SERVER, 500))
  await until(() => warnings(daemon.records, /all\.forwarding to 0: it is 1 again; if it is to stay 0/).length === 1)
  t.equal(await daemon.stop(), 0)
})

t.test('without it: a warning names the cure, once a minute, and each end is logged', async (t) => {
  const { proxy, start } = await scene(t, [2])
  const daemon = await start()
  for (const count of [1, 2]) {
    proxy.sysctl({ 'conf/all/forwarding': 0 })
    await until(() => warnings(daemon.records, /does not forward IPv6.*`forwarding yes`.*sysctl/).length === 1)
    await sleep(1500) // longer than the pause before a check
    proxy.sysctl({ 'conf/all/forwarding': 1 })
    await until(() => warnings(daemon.records, /forwards IPv6 again/).length === count)
  }
  t.pass('twice')
  t.equal(await daemon.stop(), 0)
})
