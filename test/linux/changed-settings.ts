import t from 'tap'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { writeFiles } from '../fixtures/program.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { ChangedSettings } from '../../src/linux/changed-settings.ts'
import { enableForwarding } from '../../src/linux/forwarding.ts'
import { readSetting, writeSetting } from '../../src/linux/sysctl.ts'

await ownNamespace()
sh('ip link add up0 type veth peer name up1')
const files = writeFiles({ file: '' })
t.teardown(files.close)
const directory = files.path('state')
const restore = () => new ChangedSettings(directory).restore()
const present = () => [readSetting('all', 'forwarding'), readSetting('up0', 'accept_ra'), readSetting('up1', 'accept_ra')]

t.test('restores the first values, also those of several runs', (t) => {
  new ChangedSettings(directory).add(enableForwarding(['up0']))
  writeSetting('all', 'forwarding', 0)
  const second = new ChangedSettings(directory)
  second.add(enableForwarding(['up0', 'up1']))
  second.add([])
  t.equal(statSync(files.path('state/settings.json')).mode & 0o777, 0o600)
  t.same(present(), [1, 2, 2])
  t.same(restore(), [
    { iface: 'up1', setting: 'accept_ra', from: 2, to: 1 },
    { iface: 'all', setting: 'forwarding', from: 1, to: 0 },
    { iface: 'up0', setting: 'accept_ra', from: 2, to: 1 },
  ])
  t.same(present(), [0, 1, 1])
  t.same(restore(), [], 'once')
  t.end()
})

t.test('leaves what another program changed since, and links that are gone', (t) => {
  const settings = new ChangedSettings(directory)
  settings.add(enableForwarding(['up0', 'up1']))
  settings.add([{ iface: 'gone0', setting: 'accept_ra', from: 1, to: 2 }])
  writeSetting('up0', 'accept_ra', 0)
  t.same(restore().map(({ iface }) => iface), ['all', 'up1'])
  t.same(present(), [0, 0, 1])
  writeSetting('up0', 'accept_ra', 1)
  t.end()
})

t.test('a record of an earlier boot, or a damaged one, changes nothing', (t) => {
  const changes = enableForwarding([])
  const file = files.path('state/settings.json')
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  const bad = [{ ...changes[0], iface: '../../ipv4/conf/all' }, { ...changes[0], setting: 'mtu' }, { ...changes[0], from: '0' }, null]
  for (const text of [JSON.stringify({ boot: 'other', changes }), '{', 'null', JSON.stringify({ boot, changes: bad }), JSON.stringify({ boot })]) {
    writeFileSync(file, text)
    t.same(restore(), [], text)
  }
  t.equal(readSetting('all', 'forwarding'), 1)
  writeSetting('all', 'forwarding', 0)
  t.end()
})

t.test('a directory that cannot be written is a warning', (t) => {
  const warnings: string[] = []
  new ChangedSettings(files.path('file/state'), (message) => warnings.push(message)).add([{ iface: 'all', setting: 'forwarding', from: 0, to: 1 }])
  t.match(warnings, [/settings\.json \(.*\): `ndp6d cleanup` will not restore the settings; .*`--state DIR`$/])
  t.end()
})
