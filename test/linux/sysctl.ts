import t from 'tap'
import { readSetting, writeSetting } from '../../src/linux/sysctl.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'

await ownNamespace()

sh('ip link add eth0.7 type veth peer name down0')

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
