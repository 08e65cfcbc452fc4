import t from 'tap'
import fc from 'fast-check'
import { Fifo } from '../../../src/engine/tables/fifo.ts'

const step = fc.record({ op: fc.constantFrom('push', 'push', 'shift', 'filter'), times: fc.constantFrom(1, 3, 1500), odd: fc.nat(4) })

t.test('agrees with an array under any sequence of push, shift and filter', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
    const fifo = new Fifo<number>()
    let oracle: number[] = []
    let next = 0
    for (const { op, times, odd } of steps) {
      for (let n = 0; n < times && op === 'push'; n++) {
        fifo.push(next)
        oracle.push(next++)
      }
      for (let n = 0; n < times && op === 'shift'; n++) if (fifo.shift() !== oracle.shift()) return false
      if (op === 'filter') {
        fifo.filter((item) => item % 5 !== odd)
        oracle = oracle.filter((item) => item % 5 !== odd)
      }
      if (fifo.size !== oracle.length || fifo.first !== oracle[0]) return false
    }
    while (oracle.length > 0) if (fifo.shift() !== oracle.shift()) return false
    return fifo.size === 0 && fifo.shift() === undefined && fifo.first === undefined
  }), { numRuns: 200 })
})
