/** Conflicts with another ND proxy: one event for all of its claims. */
import t from 'tap'
import { ETH0, ETH1, many, na, nthMac, PATIENT, Stage, VM2, VM3 } from '../kit/stage.ts'

/** A stage with owners inside, and a way to claim their addresses upstream. */
function scene() {
  const stage = new Stage(PATIENT)
  for (const n of [1, 2, 3]) stage.learn(many(n), VM2)
  const claim = (n: number, from: string, more: Partial<Parameters<typeof na>[0]> = {}): string[] => {
    stage.wait(1000)
    stage.sink.take()
    stage.frame(ETH0, na({ target: many(n), from, source: 'fe80::99', flags: 'R', ...more }))
    // The owner answers its verification.
    stage.na(ETH1, many(n), VM2)
    return stage.sink.take('conflict', 'proxy')
  }
  return { stage, claim }
}

t.test('advertisements with O=0 from another source than the target are those of a proxy', async (t) => {
  const { stage, claim } = scene()
  t.same(claim(1, VM3), [`proxy ${many(1)} eth0 ${VM3}`])
  t.same([claim(2, VM3), claim(3, VM3), claim(1, VM3, { flags: 'O' })], [[], [], []], 'said once')
  t.same(claim(2, nthMac(7)), [`proxy ${many(2)} eth0 ${nthMac(7)}`], 'another proxy')
  stage.wait(3_600_000)
  for (const n of [1, 2, 3]) stage.learn(many(n), VM2)
  t.same(claim(3, VM3), [`proxy ${many(3)} eth0 ${VM3}`], 'and again after an hour')
})

t.test('other claims are conflicts, each', async (t) => {
  const { claim } = scene()
  for (const n of [1, 2]) {
    t.same(claim(n, VM3, { flags: 'O' }), [`conflict ${many(n)} eth0 ${VM3} answered`], 'with Override')
    t.same(claim(n, VM3, { source: many(n) }), [`conflict ${many(n)} eth0 ${VM3} answered`], 'by the target itself')
  }
})

t.test('a flood of proxies costs a bounded memory', async (t) => {
  const { stage } = scene()
  const used = (): number => stage.engine.limits(stage.now).find(({ name }) => name === 'other proxies')!.used
  for (let n = 0; n < 200; n++) stage.frame(ETH0, na({ target: many(n), from: nthMac(n), source: 'fe80::99', flags: '' }))
  t.equal(used(), 64)
})
