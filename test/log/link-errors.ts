import t from 'tap'
import { LinkErrorLog } from '../../src/log/link-errors.ts'
import { type Line, recorder } from './kit/recorder.ts'

/** A log of link errors; `take` returns the records since the last call. */
function linkErrors(readNeighborLimit = (): number | undefined => 1024) {
  const { log, take } = recorder('debug')
  return { errors: new LinkErrorLog(log, readNeighborLimit), take: (): Line[] => take() }
}

function error(code: string, syscall: string): Error & { code: string } {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
}

t.test('the sentence has the reason and what to do', async (t) => {
  const { errors, take } = linkErrors()
  const cases = [
    ['EINVAL', 'sendto',
      "eth1: cannot send a probe: the kernel's neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3 (now 1024)"],
    ['EPERM', 'sendto', 'eth1: cannot send a probe: a firewall drops it; let ICMPv6 pass its output chain'],
    ['EPERM', 'socket', 'eth1: cannot use the link: not permitted; run ndp6d as root, or as the systemd service'],
    ['EMFILE', 'socket', 'eth1: cannot use the link: too many open files; raise `LimitNOFILE=` of the unit'],
    ['EADDRNOTAVAIL', 'sendto', 'eth1: cannot send a probe: this machine has no IPv6 address to send from on this link; waiting for one'],
    ['EIO', 'recvmmsg', 'eth1: cannot receive: recvmmsg EIO'],
  ]
  for (const [code, syscall, sentence] of cases) {
    const { errors, take } = linkErrors()
    errors.failed('eth1', error(code, syscall), false)
    t.match(take(), [{ level: 50, msg: sentence, iface: 'eth1', reason: code }])
  }
  errors.failed('eth1', error('EIO', 'recvmmsg'), false)
  errors.failed('eth1', error('EMFILE', 'socket'), false)
  t.same(take().map(({ err }) => err === undefined), [false, true], 'a stack for unexpected errors only')
  const unknown = linkErrors(() => undefined)
  unknown.errors.failed('eth1', error('EINVAL', 'sendto'), false)
  t.match(unknown.take(), [{ msg: 'eth1: cannot send a probe: sendto EINVAL' }], 'no guess where the kernel shows no limit')
})

t.test('an error of a link is logged once, a temporary one at debug', async (t) => {
  const { errors, take } = linkErrors()
  const levels = (iface: string, code: string, isTemporary = false): number[] => {
    errors.failed(iface, error(code, 'sendto'), isTemporary)
    return take().map(({ level }) => level)
  }
  t.same(levels('eth1', 'EPERM'), [50])
  t.same(levels('eth1', 'EPERM'), [20])
  t.same(levels('eth2', 'EPERM'), [50])
  t.same(levels('eth1', 'ENETDOWN', true), [20])
  t.same(errors.limits, [{ name: 'link errors logged once', used: 2, size: 256 }])
  for (let i = 0; i < 254; i++) levels(`tap${i}`, 'EPERM')
  t.equal(errors.limits[0].used, 256)
  t.same(levels('eth9', 'EPERM'), [], 'errors of many links share a record')
  t.equal(errors.limits[0].used, 1)
})
