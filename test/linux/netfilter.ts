import { mock } from 'node:test'
import t from 'tap'
import { Address, Prefix } from '../../src/address.ts'
import type { Filter, KernelNeighbor } from '../../src/engine-types.ts'
import { Netfilter } from '../../src/linux/netfilter.ts'
import type { Message } from '../../src/wire/netlink.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'

const BIND = 0x401
const NEWCHAIN = 0x0a03
const NEWTABLE = 0x0a00
const FILTERS: Filter[] = [{ ifindex: 5, mac: undefined, prefixes: [Prefix.parse('2001:db8::/64')!], excluded: [] }]
const NOT_SUPPORTED = 95
const UNFILTERED = /^cannot keep the kernel from reacting to unicast solicitations /
const UNWATCHED = /^cannot see the kernel's own solicitations .*ENOTSUP.* three seconds; load the kernel module nfnetlink_log$/

/** @param refuse returns the errno of a refusal, or 0 */
function scene(refuse: (request: Message) => number) {
  const warnings: string[] = []
  const infos: string[] = []
  const solicited: string[] = []
  const kernel = fakeKernel((request) => {
    const errno = refuse(request)
    return errno !== 0 || request.flags & 4 ? [acknowledgement(request, errno)] : []
  })
  const log = {
    warn: (_: object, text: string) => { warnings.push(text) },
    info: (_: object, text: string) => { infos.push(text) },
  }
  const netfilter = new Netfilter(log, (ifindex, target) => solicited.push(`${ifindex} ${target}`), kernel.open)
  /** The kernel's own resolution ended. */
  const failed = (ifindex = 5, state: KernelNeighbor['state'] = 'failed') =>
    netfilter.neighbor({ ifindex, target: Address.parse('2001:db8::7')!, mac: undefined, state, router: false })
  return { netfilter, kernel, warnings, infos, solicited, failed, sent: () => kernel.sent.length }
}

const SECOND = 1000
mock.timers.enable({ apis: ['setTimeout'] })
t.teardown(() => mock.timers.reset())

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))
const isOutput = ({ bytes, start, end }: Message): boolean => Buffer.from(bytes.subarray(start, end)).includes('output')

t.test('one change of the table per turn, and none when nothing changes', async (t) => {
  const { netfilter, warnings, sent, solicited, failed } = scene(() => 0)
  netfilter.filter(FILTERS)
  netfilter.watch(5, true)
  netfilter.watch(6, true)
  t.equal(sent(), 0)
  await nextTurn()
  t.equal(sent(), 2, 'a group is bound, the table made')
  netfilter.watch(6, true)
  netfilter.watch(6, false)
  await nextTurn()
  netfilter.apply()
  t.equal(sent(), 2)
  failed()
  t.strictSame(solicited, [], 'the solicitations themselves are seen')
  netfilter.watch(5, false)
  await nextTurn()
  t.equal(sent(), 3, 'without the chain')
  netfilter.watch(5, true)
  await nextTurn()
  t.equal(sent(), 5)
  t.strictSame(warnings, [])
  netfilter.close()
})

t.test('without nfnetlink_log or log rules: filters work, and failed entries of the kernel stand for its solicitations', async (t) => {
  for (const refused of [(r: Message) => r.type === BIND, (r: Message) => r.type === NEWCHAIN && isOutput(r)]) {
    let isRefused = true
    const { netfilter, warnings, solicited, failed } = scene((request) => isRefused && refused(request) ? NOT_SUPPORTED : 0)
    netfilter.filter(FILTERS)
    netfilter.apply()
    failed()
    t.strictSame([warnings, solicited], [[], []], 'not wanted')
    netfilter.watch(5, true)
    netfilter.apply()
    netfilter.filter([])
    netfilter.apply()
    mock.timers.tick(SECOND)
    t.match(warnings, [UNWATCHED])
    t.equal(warnings.length, 1)
    failed(5, 'known')
    failed(6)
    t.strictSame(solicited, [])
    failed()
    t.strictSame(solicited, ['5 2001:db8::7'])
    isRefused = false
    netfilter.filter(FILTERS)
    netfilter.apply()
    failed()
    t.equal(solicited.length, 1, 'the kernel supports it now')
    netfilter.close()
  }
})

t.test('without nftables: both losses are logged once', async (t) => {
  const { netfilter, warnings, solicited, failed } = scene(({ type }) => type === NEWTABLE ? NOT_SUPPORTED : 0)
  netfilter.filter(FILTERS)
  netfilter.watch(5, true)
  netfilter.apply()
  netfilter.watch(6, true)
  netfilter.apply()
  mock.timers.tick(SECOND)
  t.match(warnings, [UNFILTERED, UNWATCHED])
  t.equal(warnings.length, 2)
  failed()
  t.equal(solicited.length, 1)
  netfilter.close()
})

t.test('a table that cannot be changed still shows solicitations', async (t) => {
  let isFull = false
  const { netfilter, warnings, solicited, failed } = scene(({ type }) => isFull && type === NEWTABLE ? 105 : 0)
  netfilter.filter(FILTERS)
  netfilter.watch(5, true)
  netfilter.apply()
  isFull = true
  netfilter.filter([...FILTERS, { ...FILTERS[0], ifindex: 6 }])
  netfilter.apply()
  failed()
  t.strictSame(solicited, [])
  mock.timers.tick(SECOND)
  t.match(warnings, [UNFILTERED])
  t.equal(warnings.length, 1)
  netfilter.close()
})

t.test('an error while links are deleted is no fault: the table is set again without them', async (t) => {
  let isRefused = true
  const { netfilter, warnings, infos, sent } = scene(({ type }) => isRefused && type === NEWCHAIN ? 2 : 0)
  const links = [5, 6, 7, 8].map((ifindex) => ({ ...FILTERS[0], ifindex }))
  while (links.length > 1) {
    netfilter.filter([...links])
    netfilter.apply()
    links.pop()
  }
  isRefused = false
  netfilter.filter([...links])
  netfilter.apply()
  const before = sent()
  mock.timers.tick(100 * SECOND)
  t.strictSame([warnings, infos, sent()], [[], [], before], 'nothing is left to be tried')
  netfilter.close()
})

t.test('an error that ends by itself is not logged; one that lasts is logged once, and so is its end', async (t) => {
  let isRefused = true
  const { netfilter, warnings, infos, sent } = scene(({ type }) => isRefused && type === NEWTABLE ? 2 : 0)
  netfilter.filter(FILTERS)
  netfilter.watch(5, true)
  netfilter.apply()
  isRefused = false
  mock.timers.tick(SECOND)
  t.strictSame([warnings, infos], [[], []])

  isRefused = true
  netfilter.filter([...FILTERS, { ...FILTERS[0], ifindex: 6 }])
  netfilter.apply()
  for (let seconds = 0; seconds < 300; seconds++) mock.timers.tick(SECOND)
  t.match(warnings, [UNFILTERED])
  t.equal(warnings.length, 1)
  t.strictSame(infos, [])
  isRefused = false
  for (let seconds = 0; seconds < 60; seconds++) mock.timers.tick(SECOND)
  t.match(infos, [/^the nftables table is set again, so the kernel does not react to unicast solicitations any more$/])
  t.equal(infos.length, 1)
  isRefused = true
  const before = sent()
  mock.timers.tick(100 * SECOND)
  t.equal(sent(), before, 'nothing is left to be tried')
  netfilter.filter(FILTERS)
  netfilter.apply()
  netfilter.close()
  const closed = sent()
  mock.timers.tick(100 * SECOND)
  t.equal(sent(), closed, 'nothing after the end')
})

t.test('solicitations that can be seen again are logged', async (t) => {
  let isRefused = true
  const { netfilter, warnings, infos } = scene(({ type }) => isRefused && type === BIND ? NOT_SUPPORTED : 0)
  netfilter.watch(5, true)
  netfilter.apply()
  mock.timers.tick(SECOND)
  t.match(warnings, [UNWATCHED])
  isRefused = false
  for (let seconds = 0; seconds < 60; seconds++) mock.timers.tick(SECOND)
  t.strictSame(infos, ['the kernel\'s own solicitations can be seen again'])
  netfilter.close()
})
