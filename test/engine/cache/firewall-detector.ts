/** Kernel entries that fail although the owner answers: the firewall of this machine. */
import t from 'tap'
import { ETH0, ETH1, linkOf, many, nthMac, PATIENT, Stage, VM, VM2, VM3 } from '../kit/stage.ts'

const HOUR = 3_600_000
const OTHER = '2001:db8::3'

/** A stage with a host on eth1 that answers, and `fails`: the kernel gives up after three seconds, and we verify the owner. */
function scene() {
  const stage = new Stage(PATIENT)
  const events = () => stage.sink.take('filtered')
  const fails = (target = VM, from = VM2, state: 'failed' | 'deleted' = 'failed'): string[] => {
    stage.wait(3000)
    stage.kernel(target, ETH1, undefined, state)
    const seen = events()
    stage.wait(1)
    if (from !== '') stage.na(ETH1, target, from)
    return [...seen, ...events()]
  }
  stage.learn(VM, VM2)
  return { stage, events, fails }
}

t.test('two failures, each soon after a reply to us: one event, and again after a day', async (t) => {
  const { stage, fails } = scene()
  t.same(fails(), [])
  t.same(fails(), [`filtered eth1 ${VM} ${VM2}`])
  for (let i = 0; i < 10; i++) t.same(fails(), [])
  for (let hours = 0; hours < 24; hours++) {
    stage.wait(HOUR - 10_000)
    stage.learn(VM, VM2)
    stage.wait(10_000)
    stage.na(ETH1, VM, VM2)
  }
  stage.sink.take()
  stage.ns(ETH0, VM)
  stage.na(ETH1, VM, VM2)
  const later = [...fails(), ...fails(), ...fails()]
  t.same(later.length, 1, 'a day later')
})

t.test('two hosts of one link', async (t) => {
  const { stage, fails } = scene()
  t.same(fails(), [])
  stage.learn(OTHER, VM3)
  t.same(fails(OTHER, VM3), [`filtered eth1 ${OTHER} ${VM3}`])
})

t.test('many hosts that vanish together and are back: no event', async (t) => {
  const { stage, events } = scene()
  for (let n = 0; n < 20; n++) stage.learn(many(n), nthMac(n))
  for (let n = 0; n < 20; n++) {
    stage.wait(100)
    stage.kernel(many(n), ETH1, undefined, 'failed')
  }
  t.same(events(), [])
})

t.test('no event: deleted entries, old replies, silent owners, other links, a kernel that gets replies', async (t) => {
  const { stage, fails, events } = scene()
  for (let i = 0; i < 5; i++) t.same(fails(VM, VM2, 'deleted'), [])

  for (let i = 0; i < 5; i++) {
    stage.wait(6000)
    t.same(fails(), [], 'the host may have restarted')
  }
  for (let i = 0; i < 5; i++) {
    t.same(fails(), [])
    stage.kernel(VM, ETH1, VM2, 'reachable')
  }
  t.same(fails(), [])
  stage.wait(61_000)
  stage.learn(VM, VM2)
  t.same(fails(), [], 'the first one is too old')

  const elsewhere = scene()
  for (let i = 0; i < 5; i++) {
    elsewhere.stage.wait(1000)
    elsewhere.stage.kernel(VM, ETH0, undefined, 'failed')
    elsewhere.stage.kernel('2001:db8::99', ETH1, undefined, 'failed')
    elsewhere.stage.kernel('2001:db8::1', ETH0, undefined, 'failed')
  }
  t.same([...events(), ...elsewhere.events()], [])

  const silent = scene()
  t.same([...silent.fails(VM, ''), ...silent.fails(VM, '')], [], 'the owner is gone')
})

t.test('a link that is deleted is forgotten', async (t) => {
  const { stage, fails } = scene()
  t.same(fails(), [])
  stage.gone(ETH1)
  stage.link(linkOf(ETH1))
  stage.learn(VM, VM2)
  t.same(fails(), [])
  t.same(fails().length, 1)
})
