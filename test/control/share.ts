import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Share } from '../../src/control/share.ts'

t.test('who has taken least comes next, and by turns who began last', async (t) => {
  const share = new Share()
  const order: number[] = []
  const turn = async (taken: number, number: number) => {
    await share.turn(taken, number)
    order.push(taken)
    share.took(1)
  }
  await Promise.all([30, 0, 10, 10.5, 2, 20].map(turn))
  t.same(order, [0, 20, 2, 10.5, 10, 30])
  await turn(5, 6)
  t.equal(order.at(-1), 5, 'and later ones get theirs')
})

t.test('who takes much at once is waited for', async (t) => {
  const share = new Share()
  await share.turn(0, 0)
  share.took(200)
  // Waiting for a turn keeps no program alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const began = performance.now()
  const [first] = await Promise.all([0, 200].map(async (taken) => {
    await share.turn(taken, 1)
    share.took(1)
    return performance.now() - began
  }))
  t.ok(first > 1900, `${first} ms: 100 ms too much are 5 % of 2 s`)
})

t.test('the time before a turn counts once', async (t) => {
  const share = new Share()
  await sleep(400)
  for (let n = 0; n < 20; n++) share.took(10)
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  const began = performance.now()
  await share.turn(0, 0)
  const waited = performance.now() - began
  t.ok(waited > 1000, `${waited} ms: 20 turns of 10 ms are 100 ms too much`)
})
