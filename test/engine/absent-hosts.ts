import t from 'tap'
import { AbsentHosts } from '../../src/engine/absent-hosts.ts'
import { ip } from './kit/frames.ts'
import { Recorder } from './kit/stage.ts'

t.test('hosts are kept by the name of their link, and taken once', async (t) => {
  const absent = new AbsentHosts(new Recorder())
  t.same(absent.take('eth1'), [])
  absent.add('eth1', ip('2001:db8::2'))
  absent.add('eth2', ip('2001:db8::3'))
  absent.add('eth1', ip('2001:db8::4'))
  t.same(absent.take('eth1').map(String), ['2001:db8::2', '2001:db8::4'])
  t.same(absent.take('eth1'), [])
  t.same(absent.take('eth2').map(String), ['2001:db8::3'])
})

t.test('of many links the first are forgotten', async (t) => {
  const absent = new AbsentHosts(new Recorder())
  for (let n = 0; n < 65; n++) absent.add(`tap${n}`, ip('2001:db8::2'))
  t.same(absent.take('tap0'), [])
  t.equal(absent.take('tap1').length, 1)
  t.equal(absent.take('tap64').length, 1)
})
