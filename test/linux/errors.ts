import t from 'tap'
import { readFileSync } from 'node:fs'
import { osError, verdict } from '../../src/linux/errors.ts'

t.test('an error of errno', async (t) => {
  t.match(osError(100, 'netlink', 'Nexthop device is not up'),
    { code: 'ENETDOWN', errno: -100, syscall: 'netlink', message: 'netlink ENETDOWN: Nexthop device is not up' })
  t.match(osError(17, 'send'), { code: 'EEXIST', message: 'send EEXIST' })
})

t.test('verdicts', async (t) => {
  for (const errno of [4, 11, 12, 23, 24, 89, 105, 126]) t.equal(verdict(osError(errno, 'x')), 'retry', `errno ${errno}`)
  for (const errno of [6, 19, 99, 100, 101, 113]) t.equal(verdict(osError(errno, 'x')), 'wait', `errno ${errno}`)
  for (const errno of [1, 13, 17, 22, 30, 95]) t.equal(verdict(osError(errno, 'x')), 'fatal', `errno ${errno}`)
  for (const thrown of [new TypeError('no'), undefined, null, 'EAGAIN', { code: 11 }, { code: 'toString' }]) {
    t.equal(verdict(thrown), 'fatal')
  }
})

t.test('errors of Node are judged as well', async (t) => {
  try {
    readFileSync('/nowhere')
    t.fail('read it')
  } catch (error) {
    t.equal(verdict(error), 'fatal')
  }
})
