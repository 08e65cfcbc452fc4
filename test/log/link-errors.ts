import t from 'tap'
import { LinkErrorLog } from '../../src/log/link-errors.ts'
import { type Line, recorder } from './kit/recorder.ts'

/** A log of link errors; `take` returns the records since the last call, and `pause` runs what waits for the end of a pause. */
function linkErrors(readNeighborLimit = (): number | undefined => 1024) {
  const { log, at, take } = recorder('debug')
  const waiting: { callback: () => void; at: number }[] = []
  let now = 0
  const pause = (seconds = 2): void => {
    now += 1000 * seconds
    at(now / 1000)
    for (const { callback } of waiting.splice(0, waiting.length, ...waiting.filter(({ at }) => at > now)).filter(({ at }) => at <= now)) callback()
  }
  return { errors: new LinkErrorLog(log, readNeighborLimit, (callback, ms) => waiting.push({ callback, at: now + ms })), pause,
    all: take, take: (): Line[] => take().filter(({ level }) => level > 20) }
}

function error(code: string, syscall: string): Error & { code: string } {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
}

t.test('the sentence has the reason and what to do', async (t) => {
  const { errors, take, pause } = linkErrors()
  const cases = [
    ['EINVAL', 'sendto',
      "eth1: cannot send: the kernel's neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3 (now 1024)"],
    ['EPERM', 'sendto', 'eth1: cannot send: a firewall drops it; let ICMPv6 pass its output chain'],
    ['EPERM', 'socket', 'eth1: cannot use the link: not permitted; run ndp6d as root, or as the systemd service'],
    ['EMFILE', 'socket', 'eth1: cannot use the link: too many open files; raise `LimitNOFILE=` of the unit'],
    ['EADDRNOTAVAIL', 'sendto', 'eth1: cannot send: this machine has no IPv6 address to send from on this link; waiting for one'],
    ['EIO', 'recvmmsg', 'eth1: cannot receive: recvmmsg EIO'],
  ]
  for (const [code, syscall, sentence] of cases) {
    const { errors, take, pause } = linkErrors()
    errors.failed('eth1', error(code, syscall), false)
    pause()
    t.match(take(), [{ level: 50, msg: sentence, iface: 'eth1', reason: code }])
  }
  errors.failed('eth1', error('EIO', 'recvmmsg'), false)
  errors.failed('eth1', error('EMFILE', 'socket'), false)
  pause()
  t.same(take().map(({ err }) => err === undefined), [false, true], 'a stack for unexpected errors only')
  const unknown = linkErrors(() => undefined)
  unknown.errors.failed('eth1', error('EINVAL', 'sendto'), false)
  unknown.pause()
  t.match(unknown.take(), [{ msg: /neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3 on the host of this container$/, err: undefined }],
    'other network namespaces do not show the limit')
})

t.test('an error of a link is logged once, a temporary one at debug', async (t) => {
  const { errors, all } = linkErrors()
  const levels = (iface: string, code: string, isTemporary = false): number[] => {
    errors.failed(iface, error(code, 'sendto'), isTemporary)
    return all().map(({ level }) => level)
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

t.test('an error of the whole machine is one record with the number of links', async (t) => {
  for (const [code, syscall, sentence] of [
    ['EMFILE', 'socket', 'cannot use the links: too many open files; raise `LimitNOFILE=` of the unit; trying again every second'],
    ['EMFILE', 'discover', 'cannot look for hosts: too many open files; raise `LimitNOFILE=` of the unit; trying again every second'],
    ['EMFILE', 'sendmmsg', 'cannot use the links: too many open files; raise `LimitNOFILE=` of the unit; trying again every second'],
    ['EINVAL', 'sendto', "cannot send: the kernel's neighbor table is full; raise net.ipv6.neigh.default.gc_thresh3 (now 1024)"],
  ] as const) {
    const { errors, take, pause } = linkErrors()
    const fail = (from: number, to: number): void => {
      for (let i = from; i < to; i++) errors.failed(`tap${i}`, error(code, syscall), false)
    }
    fail(0, 100)
    fail(0, 100)
    pause()
    t.same(take(), [], 'not yet')
    fail(0, 700)
    errors.opened('tap1')
    errors.gone('tap2')
    pause()
    t.same(take(), [], 'more links come')
    pause()
    t.match(take(), [{ level: 50, count: 698, reason: code, msg: `698 links (tap0, tap3, tap4, ...): ${sentence}` }])
    fail(0, 1)
    pause()
    t.same(take(), [], 'once')
    for (let i = 700; i < 800; i += 2) {
      fail(i, i + 2)
      pause()
    }
    t.match(take(), [{ count: 758 }], 'further links are logged once a minute')
    pause(60)
    t.match(take(), [{ count: 798 }])
    const steady = linkErrors()
    for (let i = 0; i < 6; i++) {
      steady.errors.failed(`tap${i}`, error(code, syscall), false)
      steady.errors.failed(`eth${i}`, error(code, syscall), false)
      steady.pause()
    }
    t.match(steady.take(), [{ count: 10 }], 'the first record does not wait for the last link')
    for (let i = 0; i < 800; i++) errors.opened(`tap${i}`)
    pause()
    pause()
    t.match(take(), [{ level: 30, count: 798, msg: '798 links (tap0, tap3, tap4, ...): their sockets are open now' }])
    pause()
    t.same(take(), [])
  }
})

t.test('what ends before the pause is not logged', async (t) => {
  const { errors, take, pause } = linkErrors()
  errors.failed('tap0', error('EMFILE', 'socket'), false)
  errors.opened('tap0')
  errors.failed('tap1', error('EMFILE', 'socket'), false)
  errors.gone('tap1')
  pause()
  pause()
  t.same(take(), [])
  errors.failed('tap0', error('EMFILE', 'socket'), false)
  errors.failed('tap1', error('EMFILE', 'socket'), false)
  pause()
  pause()
  t.match(take(), [{ msg: /^2 links \(tap0, tap1\): cannot use the links: too many/ }])
  errors.opened('tap1')
  pause()
  t.match(take(), [{ level: 30, iface: 'tap1', msg: 'tap1: its sockets are open now' }])
})
