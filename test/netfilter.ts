/** What is said, and what still works, where netfilter cannot do all that is wanted of it. */
import t from 'tap'
import type { Logger } from 'pino'
import { Address, Prefix } from '../src/address.ts'
import type { KernelNeighbor, QuietRule } from '../src/engine/types.ts'
import type { Message } from '../src/wire/netlink.ts'
import { Netfilter } from '../src/netfilter.ts'
import { acknowledgement, fakeKernel } from './fixtures/fake-kernel.ts'

const BIND = 0x401
const NEWCHAIN = 0x0a03
const NEWTABLE = 0x0a00
const RULES: QuietRule[] = [{ ifindex: 5, mac: undefined, prefixes: [Prefix.parse('2001:db8::/64')!] }]
const NOT_SUPPORTED = 95

/** @param refuses errno, or 0 */
function scene(refuses: (request: Message) => number) {
  const warnings: string[] = []
  const told: string[] = []
  const kernel = fakeKernel((request) => {
    const errno = refuses(request)
    return errno !== 0 || request.flags & 4 ? [acknowledgement(request, errno)] : []
  })
  const log = { warn: (_: unknown, text: string) => warnings.push(text) } as unknown as Logger
  const netfilter = new Netfilter(log, (ifindex, target) => told.push(`${ifindex} ${target}`), kernel.open)
  /** The kernel gave up asking. */
  const failed = (ifindex = 5, state: KernelNeighbor['state'] = 'failed') =>
    netfilter.neighbor({ ifindex, target: Address.parse('2001:db8::7')!, mac: undefined, state, router: false })
  return { netfilter, kernel, warnings, told, failed, sent: () => kernel.sent.length }
}

const soon = () => new Promise((resolve) => setImmediate(resolve))
const isOutput = ({ bytes, start, end }: Message): boolean => Buffer.from(bytes.subarray(start, end)).includes('output')

t.test('once for all that is said in a turn; nothing when nothing changes', async (t) => {
  const { netfilter, warnings, sent, told, failed } = scene(() => 0)
  netfilter.quiet(RULES)
  netfilter.hear(5, true)
  netfilter.hear(6, true)
  t.equal(sent(), 0)
  await soon()
  t.equal(sent(), 2, 'a group is bound, the table made')
  netfilter.hear(6, true)
  netfilter.hear(6, false)
  await soon()
  netfilter.apply()
  t.equal(sent(), 2)
  failed()
  t.strictSame(told, [], 'not needed')
  netfilter.hear(5, false)
  await soon()
  t.equal(sent(), 3, 'without the chain')
  netfilter.hear(5, true)
  await soon()
  t.equal(sent(), 5)
  t.strictSame(warnings, [])
  netfilter.close()
})

t.test('no nfnetlink_log, or no log rules: quiet all the same, and the kernel\'s last word has to do', async (t) => {
  for (const refused of [(r: Message) => r.type === BIND, (r: Message) => r.type === NEWCHAIN && isOutput(r)]) {
    let isRefused = true
    const { netfilter, warnings, told, failed } = scene((request) => isRefused && refused(request) ? NOT_SUPPORTED : 0)
    netfilter.quiet(RULES)
    netfilter.apply()
    failed()
    t.strictSame([warnings, told], [[], []], 'not wanted')
    netfilter.hear(5, true)
    netfilter.apply()
    netfilter.quiet([])
    netfilter.apply()
    t.match(warnings, [/^the kernel's own solicitations cannot be seen .*ENOTSUP.*three seconds$/])
    t.equal(warnings.length, 1)
    failed(5, 'known')
    failed(6)
    t.strictSame(told, [])
    failed()
    t.strictSame(told, ['5 2001:db8::7'])
    isRefused = false
    netfilter.quiet(RULES)
    netfilter.apply()
    failed()
    t.equal(told.length, 1, 'it can now')
    netfilter.close()
  }
})

t.test('no nftables: both are said, once', async (t) => {
  const { netfilter, warnings, told, failed } = scene(({ type }) => type === NEWTABLE ? NOT_SUPPORTED : 0)
  netfilter.quiet(RULES)
  netfilter.hear(5, true)
  netfilter.apply()
  netfilter.hear(6, true)
  netfilter.apply()
  t.match(warnings, [/^the kernel's own reaction to unicast solicitations cannot be turned off/, /^the kernel's own solicitations/])
  t.equal(warnings.length, 2)
  failed()
  t.equal(told.length, 1)
  netfilter.close()
})

t.test('a table that cannot be changed goes on showing them', async (t) => {
  let isFull = false
  const { netfilter, warnings, told, failed } = scene(({ type }) => isFull && type === NEWTABLE ? 105 : 0)
  netfilter.quiet(RULES)
  netfilter.hear(5, true)
  netfilter.apply()
  isFull = true
  netfilter.quiet([...RULES, { ...RULES[0], ifindex: 6 }])
  netfilter.apply()
  failed()
  t.strictSame(told, [])
  t.match(warnings, [/^the kernel's own reaction/])
  t.equal(warnings.length, 1)
  netfilter.close()
})
