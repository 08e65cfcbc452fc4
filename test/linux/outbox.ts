/** Who has something to send is flushed once at the end of a turn. */
import t from 'tap'
import { Outbox } from '../../src/linux/outbox.ts'

t.test('each once, in their order, turn after turn', async (t) => {
  const outbox = new Outbox()
  const flushed: string[] = []
  const sender = (name: string) => ({ isWaiting: false, flush: () => { flushed.push(name) } })
  const [a, b, c] = [sender('a'), sender('b'), sender('c')]
  for (const one of [a, b, a]) outbox.add(one)
  outbox.flush()
  t.same(flushed.splice(0), ['a', 'b'])
  outbox.flush()
  t.same(flushed, [], 'nobody added anything')
  for (const one of [c, a]) outbox.add(one)
  outbox.flush()
  t.same(flushed.splice(0), ['c', 'a'])
})

t.test('who adds another one while it is flushed', async (t) => {
  const outbox = new Outbox()
  const flushed: string[] = []
  const other = { isWaiting: false, flush: () => { flushed.push('other') } }
  outbox.add({ isWaiting: false, flush: () => { outbox.add(other) } })
  outbox.flush()
  t.same(flushed, ['other'])
})
