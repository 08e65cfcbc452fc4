import t from 'tap'
import { formatMac } from '../../src/address.ts'
import type { Link } from '../../src/engine-types.ts'
import { osError } from '../../src/linux/errors.ts'
import { LinkWatcher } from '../../src/linux/links.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { answering, done, fakeKernel, hex, type Reply } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { reports } from './kit/links.ts'

await ownNamespace()

/** A watcher that notes its reports. */
function watch(kernel: Rtnetlink, open?: ConstructorParameters<typeof LinkWatcher>[2]) {
  const noted = reports()
  const { events } = noted
  const links = new Map<string, Link>()
  const watcher = new LinkWatcher({
    link: (link) => {
      events.push(`${link.name} ${link.ifindex} ${link.up ? 'up' : 'down'} ${link.addresses.map((a) =>
        `${a.address}/${a.prefixLength}${a.tentative ? '?' : ''}`).join(' ')}`.trim())
      links.set(link.name, link)
    },
    gone: (ifindex, name) => events.push(`gone ${name} ${ifindex}`),
    replugged: (ifindex) => events.push(`replugged ${ifindex}`),
    enslaved: (name, master) => events.push(`enslaved ${name} ${master}`),
  }, kernel, open)
  return { watcher, links, ...noted }
}

t.test('with a real kernel', async (t) => {
  sh('ip link add w0 address 52:54:00:12:34:56 type veth peer name w1')
  const kernel = new Rtnetlink()
  const { watcher, events, links, take, next } = watch(kernel)
  watcher.start()
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  const ifindex = links.get('w0')!.ifindex
  t.strictSame([...links.keys()].sort(), ['lo', 'w0', 'w1'])
  t.equal(String(links.get('lo')!.addresses[0].address), '::1')
  t.equal(links.get('lo')!.mac, undefined)
  t.equal(formatMac(links.get('w0')!.mac!), '52:54:00:12:34:56')
  t.equal(links.get('w0')!.up, false)
  take()

  sh('ip link set w0 up')
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.strictSame(take().filter((line) => / up/.test(line)), [], 'up without carrier is not up')
  sh('ip link set w1 up')
  await until(() => links.get('w0')!.up && links.get('w1')!.up)
  await until(() => links.get('w0')!.addresses.length === 1 && links.get('w1')!.addresses.length === 1)
  t.strictSame(watcher.links.find((link) => link.name === 'w0'), links.get('w0'))
  take()

  sh('ip -6 addr add 2001:db8::ff/64 dev w0 nodad')
  t.match(await next(), [/^w0 \d+ up 2001:db8::ff\/64 fe80::/])
  sh('ip link set w0 txqueuelen 7; ip -6 addr replace 2001:db8::ff/64 dev w0 valid_lft 1000 preferred_lft 900')
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.strictSame(take(), [], 'properties that Link lacks are not reported')
  sh('ip link set w0 mtu 1400')
  await until(() => watcher.links.find((link) => link.name === 'w0')?.mtu === 1400)
  take()
  sh('ip link set w0 address 52:54:00:12:34:99')
  await until(() => formatMac(links.get('w0')!.mac!) === '52:54:00:12:34:99')
  sh('ip -6 addr del 2001:db8::ff/64 dev w0')
  await until(() => links.get('w0')!.addresses.length === 1)
  take()

  sh('ip -6 addr add 2001:db8::fe/64 dev w0')
  watcher.resync()
  t.match(take(), [/^w0 \d+ up 2001:db8::fe\/64\? /], 'tentative')
  t.match(await next(), [/^w0 \d+ up 2001:db8::fe\/64 /], 'DAD is done')

  sh('ip link set w0 name w9')
  t.match(await next(), [`w9 ${ifindex} up`], 'a rename')

  sh('ip link add br9 type bridge; ip link add br8 type bridge')
  await until(() => links.has('br8') && links.has('br9'))
  take()
  sh('ip link set w9 master br9')
  await until(() => events.includes('enslaved w9 br9'))
  watcher.resync()
  t.match(take().filter((line) => line.includes('w9')), [`w9 ${ifindex} down`, `gone w9 ${ifindex}`, 'enslaved w9 br9'], 'gone while it is a port, said once')
  t.strictSame([watcher.ports, watcher.links.some(({ name }) => name === 'w9')], [['w9'], false])
  sh('ip link set w9 master br8')
  await until(() => events.includes('enslaved w9 br8'))
  take()
  sh('ip link set w9 nomaster')
  await until(() => events.some((line) => line.startsWith(`w9 ${ifindex} up`)))
  t.notOk(take().some((line) => line.startsWith('gone w9')), 'leaving a bridge is not the end of a link')
  t.strictSame(watcher.ports, [])
  sh('ip link del br9; ip link del br8')
  await until(() => events.filter((line) => line.startsWith('gone')).length === 2)
  take()

  sh('ip link del w9; ip link add w9 type veth peer name w1')
  await until(() => links.get('w9')!.ifindex !== ifindex)
  t.match(take().filter((line) => / w9 |^w9 /.test(line)).slice(0, 1), [`gone w9 ${ifindex}`], 'the old one goes first')
  const again = links.get('w9')!.ifindex
  sh(`ip link del w9; ip link add w9 index ${again} type veth peer name w1`)
  await until(() => events.some((line) => line.startsWith(`w9 ${again}`)))
  t.match(take().filter((line) => / w9 |^w9 /.test(line)), [`gone w9 ${again}`, `w9 ${again} down`],
    'another link with the same name and index')
})

const LINK = (index: string, name: string, flags: string): Uint8Array =>
  hex(`2800 0000 1000 0200 00000000 00000000 0000 0100 ${index}000000 ${flags} 00000000
    0700 0300 ${Buffer.from(name).toString('hex')} 00 00`)
const UP = '43100100'
const DOWN = '02100000'
const GONE = (message: Uint8Array): Uint8Array => {
  const copy = message.slice()
  copy[4] = 17
  return copy
}
const ADDRESS = (index: string, last: string, type = '1400'): Uint8Array =>
  hex(`2c000000 ${type} 0200 00000000 00000000 0a408000 ${index}000000 1400 0100 20010db80000000000000000000000${last}`)

t.test('lost messages: a new dump, and only the differences are reported', async (t) => {
  let links: Uint8Array[] = [LINK('02', 'e0', UP), LINK('03', 'e1', UP), LINK('04', 'e2', DOWN)]
  let addresses: Uint8Array[] = [ADDRESS('02', '01')]
  let error: Reply | undefined
  let dumps = 0
  const kernel = fakeKernel((request) => {
    dumps++
    if (error !== undefined) return [error]
    return [...(request.type === 18 ? links : addresses).map((message) => answering(request, message)), done(request)]
  })
  const { watcher, take, next } = watch(new Rtnetlink(kernel.open), kernel.open)
  watcher.start()
  t.strictSame(take(), ['e0 2 up 2001:db8::1/64', 'e1 3 up', 'e2 4 down'])
  kernel.emit(LINK('02', 'e0', UP), ADDRESS('02', '01'))
  t.strictSame(take(), [], 'the same again')
  kernel.emit(LINK('02', 'e0', DOWN), LINK('02', 'e0', UP), ADDRESS('02', '02'), ADDRESS('02', '02', '1500'))
  t.strictSame(take(), [], 'no difference in the end')

  const failover = hex(`3000 0000 1000 0200 00000000 00000000 0000 0100 02000000 ${UP} 00000000 0700 0300 653000 00 0800 2c00 03000000`)
  kernel.emit(failover, LINK('02', 'e0', DOWN))
  t.strictSame(take(), ['e0 2 down 2001:db8::1/64', 'replugged 2'])
  kernel.emit(LINK('02', 'e0', UP))
  t.strictSame(take(), ['e0 2 up 2001:db8::1/64'], 'reported once')

  links = [LINK('02', 'e0', UP), LINK('04', 'e2', UP), LINK('05', 'e1', UP)]
  addresses = [ADDRESS('02', '01'), ADDRESS('04', '03'), ADDRESS('09', '04')]
  dumps = 0
  kernel.emit(LINK('03', 'e1', DOWN), osError(105, 'recv'))
  t.equal(dumps, 2)
  t.strictSame(take(), ['gone e1 3', 'e2 4 up 2001:db8::3/64', 'e1 5 up'])
  kernel.emit(LINK('09', 'e9', UP))
  t.strictSame(take(), ['e9 9 up 2001:db8::4/64'], 'an address may come before its link')
  kernel.emit(GONE(LINK('09', 'e9', UP)), GONE(LINK('08', 'e8', UP)))
  t.strictSame(take(), ['gone e9 9'], 'a link that was not reported goes unreported')
  kernel.emit(LINK('09', 'e9', UP))
  t.strictSame(take(), ['e9 9 up'], 'with its addresses')

  error = osError(105, 'recv')
  links = [LINK('02', 'e0', UP)]
  kernel.emit(osError(105, 'recv'))
  t.strictSame(take(), [], 'an error while dumping')
  error = undefined
  t.strictSame(await next(), ['gone e2 4', 'gone e1 5', 'gone e9 9'], 'it is tried again later')
  error = osError(1, 'recv')
  t.throws(() => watcher.resync(), { code: 'EPERM' })
  watcher.close()
})
