import t from 'tap'
import { restInFlood } from '../../src/linux/flood-pause.ts'

/** @returns milliseconds slept */
function rest(received: number, answered: number): number {
  let slept = 0
  restInFlood(received, answered, 128, (time) => { slept += time })
  return slept
}

t.test('sleeps after a batch that is mostly unanswered', async (t) => {
  t.equal(rest(16, 0), 0.05)
  t.equal(rest(16, 7), 0.05)
  t.equal(rest(127, 0), 0.05)
})

t.test('does not sleep', async (t) => {
  t.equal(rest(15, 0), 0, 'a few packets are no flood')
  t.equal(rest(16, 8), 0, 'half of the packets were answered')
  t.equal(rest(128, 0), 0, 'a full batch: the reader is behind')
})

t.test('the real sleep returns by itself', async (t) => {
  restInFlood(16, 0, 128)
  t.pass()
})
