import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'raw-socket'
import t from 'tap'
import { Address } from '../../src/address.ts'
import { osError } from '../../src/linux/errors.ts'
import { Memberships } from '../../src/linux/memberships.ts'
import { native } from '../../src/linux/native.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { ownNamespace, sh, until } from '../fixtures/own-namespace.ts'

await ownNamespace()

const GROUP = Address.parse('ff02::1:ff12:3456')!
const group = (i: number) => new Address(0xff020000, 0, 1, 0xff100000 + i)

function link(name: string) {
  sh(`ip link add ${name} address 02:00:00:00:00:01 type veth peer name ${name}p address 02:00:00:00:00:02
      ip link set ${name} up; ip link set ${name}p up`)
  return { ifindex: Number.parseInt(sh(`ip -o link show ${name}`)) }
}

/** Groups of the kernel's on `name` that look like ours. */
function groups(name: string): string[] {
  return sh(`ip -6 maddr show dev ${name}`).match(/ff02::1:ff1[0-9a-f]:[0-9a-f]+/g)?.sort() ?? []
}

/** The bytes of every MLDv2 report that arrives at the other end, so far. */
function reports(name: string) {
  const heard: string[] = []
  const socket = native.openPacket({
    ifindex: Number.parseInt(sh(`ip -o link show ${name}p`)), protocol: 0x86dd, filter: ndiscFilter(14, [143]),
    promiscuous: false, receiveBuffer: 1 << 20, cooked: false,
  })
  const slab = Buffer.alloc(2048)
  const meta = new Int32Array(4)
  socket.start(() => {
    try {
      if (socket.receive(slab, 2048, meta) === 1) heard.push(slab.toString('hex', 0, meta[0]))
    } catch { /* the link is down */ }
  })
  t.teardown(() => socket.close())
  return heard
}

t.test('joined, left, and none after close', async (t) => {
  const memberships = new Memberships(link('m0'), (error) => t.fail(error.message))
  t.equal(memberships.sockets, 0)
  memberships.join(GROUP)
  memberships.join(GROUP)
  t.strictSame(groups('m0'), ['ff02::1:ff12:3456'])
  memberships.join(group(7))
  t.strictSame([memberships.size, memberships.sockets, memberships.waiting], [2, 1, 0])
  memberships.leave(GROUP)
  memberships.leave(GROUP)
  t.strictSame(groups('m0'), ['ff02::1:ff10:7'])
  memberships.leave(group(7))
  t.strictSame([memberships.size, memberships.sockets], [0, 0])
  t.strictSame(groups('m0'), [])
  memberships.join(GROUP)
  memberships.close()
  memberships.close()
  t.strictSame(groups('m0'), [])
  memberships.join(GROUP)
  memberships.retry()
  t.strictSame([memberships.size, memberships.sockets, memberships.waiting], [0, 0, 0])
  memberships.leave(GROUP)
})

t.test('5000 groups: as many sockets as they take', async (t) => {
  const memberships = new Memberships(link('m1'), (error) => t.fail(error.message))
  for (let i = 0; i < 5000; i++) memberships.join(group(i))
  t.equal(memberships.size, 5000)
  t.equal(groups('m1').length, 5000)
  const room = Number(readFileSync('/proc/sys/net/core/optmem_max', 'utf8'))
  t.ok(memberships.sockets >= 5000 * 40 / room, `${memberships.sockets} sockets of ${room}`)
  for (let i = 0; i < 4000; i++) memberships.leave(group(i))
  t.equal(groups('m1').length, 1000)
  memberships.close()
  t.equal(groups('m1').length, 0)
})

t.test('reported, and reported again when the link comes back', async (t) => {
  const memberships = new Memberships(link('m2'), (error) => t.fail(error.message))
  await until(() => /fe80/.test(sh('ip -6 addr show dev m2 -tentative')))
  const heard = reports('m2')
  const told = () => heard.some((frame) => frame.includes('ff0200000000000000000001ff123456'))
  memberships.join(GROUP)
  await until(told)
  sh('ip link set m2 down')
  t.equal(memberships.size, 1)
  heard.length = 0
  memberships.join(group(1))
  sh('ip link set m2 up')
  await until(told)
  t.strictSame(groups('m2'), ['ff02::1:ff10:1', 'ff02::1:ff12:3456'], 'one of them joined while it was down')
  memberships.close()
})

t.test('no such link: told once, tried again when asked', async (t) => {
  const failed: unknown[] = []
  const gone = new Memberships({ ifindex: 9999 }, (error) => failed.push((error as { code?: string }).code ?? error))
  gone.join(GROUP)
  gone.join(group(1))
  gone.retry()
  t.strictSame(failed, ['ENODEV'])
  t.strictSame([gone.size, gone.waiting, gone.sockets], [0, 2, 0])
  gone.close()

  const memberships = new Memberships(link('m3'), (error) => failed.push((error as { code?: string }).code ?? error))
  sh('sysctl -qw net.ipv6.conf.m3.disable_ipv6=1; ip link set m3 mtu 1000')
  for (const each of [GROUP, group(1), group(2)]) memberships.join(each)
  memberships.leave(group(2))
  t.strictSame(failed.splice(1), ['EINVAL'], 'without IPv6')
  sh('ip link set m3 mtu 1500; sysctl -qw net.ipv6.conf.m3.disable_ipv6=0')
  memberships.retry()
  t.strictSame([memberships.size, memberships.waiting], [2, 0])
  t.strictSame(groups('m3'), ['ff02::1:ff10:1', 'ff02::1:ff12:3456'])
  sh('ip link del m3')
  memberships.join(group(3))
  t.strictSame(failed.splice(1), ['ENODEV'], 'told anew after all had been joined')
  memberships.leave(GROUP)
  memberships.leave(group(1))
  t.strictSame(memberships.sockets, 0)
  memberships.close()
})

t.test('a process that is killed leaves them, too', async (t) => {
  link('m4')
  const url = new URL('../../src/', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { Memberships } from '${url}linux/memberships.js'
    import { Address } from '${url}address.js'
    new Memberships({ ifindex: ${Number.parseInt(sh('ip -o link show m4'))} }, () => {}).join(Address.parse('${GROUP}'))
    setInterval(() => {}, 1000)
    console.log('joined')`], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  t.strictSame(groups('m4'), ['ff02::1:ff12:3456'])
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.strictSame(groups('m4'), [])
})

/**
 * A kernel whose sockets have room for `room` groups each, and then say `full`. In `asked`, `refuse` is the error of
 * every join, `full` counts.
 */
function kernel(room: number, full = 12) {
  const sockets: (Set<string> | undefined)[] = []
  const asked = { sockets, refuse: 0, full: 0 }
  const groupsOf = (socket: Socket) => sockets[(socket as unknown as { id: number }).id]!
  const setOption = (socket: Socket, _level: number, option: number, value: number | Buffer) => {
    const text = (value as Buffer).toString('hex')
    const held = groupsOf(socket)
    if (option === 21) held.delete(text)
    else if (asked.refuse > 0) throw osError(asked.refuse, 'setsockopt')
    else if (held.size < room) held.add(text)
    else {
      asked.full++
      throw osError(full, 'setsockopt')
    }
  }
  const open = (configure: (socket: Socket) => void) => {
    const id = sockets.push(new Set()) - 1
    const socket = { id, close: () => { sockets[id] = undefined } } as unknown as Socket
    try {
      configure(socket)
    } catch (error) {
      socket.close()
      throw error
    }
    return socket
  }
  return { asked, open, setOption, sizes: () => sockets.map((held) => held?.size) }
}

t.test('the first socket that has room', async (t) => {
  const { open, setOption, sizes, asked } = kernel(2)
  const memberships = new Memberships({ ifindex: 5 }, (error) => t.fail(error.message), { open, setOption })
  for (let i = 0; i < 5; i++) memberships.join(group(i))
  t.match([...asked.sockets[0]!][0], /^ff0200000000000000000001ff100000(05000000|00000005)$/)
  t.strictSame(sizes(), [2, 2, 1])
  memberships.leave(group(0))
  memberships.join(group(6))
  memberships.join(group(7))
  t.strictSame(sizes(), [2, 2, 2])
  memberships.leave(group(3))
  memberships.leave(group(2))
  t.strictSame(sizes(), [2, undefined, 2])
  memberships.join(group(8))
  t.strictSame(sizes(), [2, undefined, 2, 1])
  t.strictSame([memberships.size, memberships.sockets], [5, 3])
  t.equal(asked.full, 4, 'who is full is not asked again')
  memberships.close()
  t.strictSame(sizes(), [undefined, undefined, undefined, undefined])
})

t.test('a kernel that calls it ENOBUFS', async (t) => {
  const { open, setOption, sizes } = kernel(2, 105)
  const memberships = new Memberships({ ifindex: 5 }, (error) => t.fail(error.message), { open, setOption })
  for (let i = 0; i < 3; i++) memberships.join(group(i))
  t.strictSame(sizes(), [2, 1])
  memberships.close()
})

t.test('no memory at all is a failure, not a reason for more sockets', async (t) => {
  const failed: unknown[] = []
  const { open, setOption, sizes, asked } = kernel(2)
  const memberships = new Memberships({ ifindex: 5 }, (error) => failed.push((error as { code?: string }).code), { open, setOption })
  asked.refuse = 105
  memberships.join(group(0))
  memberships.join(group(1))
  t.strictSame([failed.splice(0), sizes(), memberships.waiting], [['ENOBUFS'], [undefined], 2])
  asked.refuse = 0
  memberships.retry()
  t.strictSame([failed, sizes(), memberships.waiting], [[], [undefined, 2], 0])
  memberships.close()
})

t.test('no more than 256 sockets', async (t) => {
  const failed: string[] = []
  const { open, setOption } = kernel(1)
  const memberships = new Memberships({ ifindex: 5 }, (error) => failed.push(error.message), { open, setOption })
  for (let i = 0; i < 300; i++) memberships.join(group(i))
  t.strictSame([memberships.size, memberships.sockets, memberships.waiting], [256, 256, 44])
  t.strictSame(failed, ['setsockopt ENOBUFS: 256 groups joined'])
  memberships.leave(group(0))
  memberships.retry()
  t.strictSame([memberships.size, memberships.waiting, failed.length], [256, 43, 1])
  for (let i = 257; i < 300; i++) memberships.leave(group(i))
  memberships.join(group(400))
  t.equal(failed.length, 2, 'told anew')
  memberships.close()
})
