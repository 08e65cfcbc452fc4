import t from 'tap'
import { Palette } from '../../src/engine/palette.ts'

t.test('each value has one number, as long as somebody has it', (t) => {
  const palette = new Palette<string>()
  const [a, b, again] = ['a', 'b', 'a'].map((value) => palette.take(value))
  t.equal(a, again)
  t.not(a, b)
  t.strictSame([palette.value(a), palette.value(b)], ['a', 'b'])
  palette.drop(a)
  t.equal(palette.value(a), 'a', 'another row has it')
  palette.drop(a)
  t.equal(palette.size, 1)
  t.equal(palette.take('c'), a, 'its number serves another')
  t.strictSame([palette.value(a), palette.value(b), palette.size], ['c', 'b', 2])
  t.end()
})
