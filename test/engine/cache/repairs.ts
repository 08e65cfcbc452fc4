/** Entries of the kernel's neighbor table that a forged advertisement changed are set back once the verified owner answers. */
import t from 'tap'
import { ETH0, ETH1, na, ROUTER, Stage, TIMED, VM, VM2, VM3 } from '../kit/stage.ts'

/** @returns a stage where the owner was verified a second ago */
function owned(config = TIMED): Stage {
  const stage = new Stage(config)
  stage.learn(VM, VM2)
  stage.wait(1000)
  stage.sink.take()
  return stage
}

/** The thief's advertisement with O=1, and the kernel's entry as it is afterwards. */
function steal(stage: Stage): void {
  stage.frame(ETH1, na({ target: VM, from: VM3 }))
  stage.kernel(VM, ETH1, VM3, 'known')
}

t.test('the owner answers: the entry is set back, each time', async (t) => {
  const stage = owned()
  for (let n = 0; n < 10; n++) {
    steal(stage)
    stage.wait(250)
    t.same(stage.sink.take('repair'), [], 'not before the owner answers')
    stage.na(ETH1, VM, VM2)
    t.same(stage.sink.take('repair'), [`repair eth1 ${VM} ${VM2}`])
    stage.kernel(VM, ETH1, VM2, 'reachable')
  }
  stage.wait(28_000)
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('repair'), [], 'a routine verification')
})

t.test('the kernel reports after the owner answered', async (t) => {
  const stage = owned()
  stage.frame(ETH1, na({ target: VM, from: VM3 }))
  stage.na(ETH1, VM, VM2)
  stage.kernel(VM, ETH1, VM3, 'known')
  t.same(stage.sink.take('repair'), [])
  stage.wait(250)
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('repair'), [`repair eth1 ${VM} ${VM2}`])
})

t.test('an owner that is silent is not restored', async (t) => {
  const stage = owned()
  steal(stage)
  stage.wait(2000)
  stage.na(ETH1, VM, VM3)
  stage.na(ETH1, VM, VM3)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  t.same(stage.sink.take('repair'), [])
})

t.test('the kernel corrected or deleted the entry itself', async (t) => {
  for (const state of ['known', 'failed'] as const) {
    const stage = owned()
    steal(stage)
    stage.kernel(VM, ETH1, state === 'known' ? VM2 : undefined, state)
    stage.wait(250)
    stage.na(ETH1, VM, VM2)
    t.same(stage.sink.take('repair'), [])
  }
})

t.test('a router on the upstream stays a router', async (t) => {
  const stage = new Stage(TIMED.replace(/host.*\n/, ''))
  stage.ns(ETH1, '2001:db8::a', { from: VM2, source: 'fe80::2' })
  stage.na(ETH0, '2001:db8::a', ROUTER, { flags: 'RSO' })
  stage.wait(1000)
  stage.kernel('2001:db8::a', ETH0, VM3, 'reachable')
  stage.wait(250)
  stage.na(ETH0, '2001:db8::a', ROUTER, { flags: 'RS' })
  t.same(stage.sink.take('repair'), [`repair eth0 2001:db8::a ${ROUTER} R`])
})

t.test('not with `neighbor-repair no`, and no permanent entry', async (t) => {
  const refused = owned(TIMED.replace('host', 'neighbor-repair no\n host'))
  steal(refused)
  refused.wait(250)
  refused.na(ETH1, VM, VM2)
  t.same(refused.sink.take('repair'), [])
  const stage = owned()
  const { ifindex, target, mac } = { ifindex: ETH1, target: [...stage.engine.savedHosts].find((host) => `${host.target}` === VM)!.target, mac: 3 }
  stage.handle({ kind: 'neighbor', neighbor: { target, ifindex, mac: mac as never, state: 'known', router: false, permanent: true } })
  stage.wait(250)
  stage.na(ETH1, VM, VM2)
  t.same(stage.sink.take('repair'), [])
})
