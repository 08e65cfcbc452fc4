import t from 'tap'
import { enableForwarding, readSetting, writeSetting } from '../../src/linux/sysctl.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'

await ownNamespace()

sh('ip link add eth0.7 type veth peer name down0; ip link add off0 type veth peer name static0')

t.test('reading and writing', async (t) => {
  t.equal(readSetting('all', 'forwarding'), 0)
  writeSetting('eth0.7', 'accept_ra', 2)
  t.equal(readSetting('eth0.7', 'accept_ra'), 2, 'a name with a dot')
  t.equal(readSetting('nowhere', 'accept_ra'), undefined)
  t.throws(() => writeSetting('nowhere', 'accept_ra', 1), { code: 'ENOENT' })
  for (const name of ['', '.', '..', 'a/b', '../../ipv4/conf/all', 'a\0']) {
    t.throws(() => readSetting(name, 'forwarding'), RangeError, JSON.stringify(name))
    t.throws(() => writeSetting(name, 'forwarding', 1), RangeError, JSON.stringify(name))
  }
})

t.test('forwarding yes', async (t) => {
  writeSetting('eth0.7', 'accept_ra', 1)
  writeSetting('off0', 'accept_ra', 0)
  t.strictSame(enableForwarding(['eth0.7', 'off0', 'nowhere']), [
    { iface: 'eth0.7', setting: 'accept_ra', from: 1, to: 2 },
    { iface: 'all', setting: 'forwarding', from: 0, to: 1 },
  ], 'accept_ra first, or the kernel removes its default routes')
  t.equal(readSetting('eth0.7', 'accept_ra'), 2)
  t.equal(readSetting('off0', 'accept_ra'), 0, '0 stays 0')
  t.equal(readSetting('static0', 'accept_ra'), 1, 'no upstream')
  t.equal(readSetting('down0', 'forwarding'), 1, 'on all links')
  t.strictSame(enableForwarding(['eth0.7', 'off0']), [], 'nothing to do')
})
