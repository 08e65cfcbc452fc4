import { readFileSync } from 'node:fs'
import t from 'tap'
import { Address, formatMac, parseMac, type Mac } from '../../src/address.ts'
import { Discovery } from '../../src/linux/echo-discovery.ts'
import { ndiscFilter } from '../../src/wire/filter.ts'
import { sumOf } from '../kit/frames.ts'
import { ownNamespace, packetSockets, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { codeOf, ifindex, Wire } from './kit/links.ts'

await ownNamespace()

const MAC = parseMac('02:00:00:00:00:ff')!
const GLOBAL = Address.parse('2001:db8::ff')!
const LOCAL = Address.parse('fe80::ff')!
const IDENTIFIER = 0xbeef
const HOSTS = 30

/** 2001:db8::ff is an address of this machine, on another link; `name` has fe80::ff only. */
sh('ip -6 addr add 2001:db8::ff/128 dev lo')
function link(name: string) {
  sh(`ip link add ${name} address 02:00:00:00:00:ff type veth peer name ${name}p address 02:00:00:00:00:01
      sysctl -qw net.ipv6.conf.${name}.addr_gen_mode=1; ip link set ${name} up; ip -6 addr add fe80::ff/64 dev ${name} nodad`)
  return { ifindex: ifindex(name), mac: MAC }
}

function reader() {
  const events: string[] = []
  return {
    events,
    echo: (source: Address, mac: Mac | undefined) => { events.push(`${source} ${mac === undefined ? 'none' : formatMac(mac)}`) },
    failed: (error: Error) => { events.push(codeOf(error)) },
  }
}

/** Echo requests that arrive at `name`, and a way to reply. */
function wire(name: string) {
  const requests: Buffer[] = []
  const wire = new Wire(name, { filter: ndiscFilter(14, [128]) })
  wire.socket.start(() => { requests.push(...wire.take()) })
  t.teardown(() => wire.close())
  return { requests, send: (frame: Uint8Array) => wire.send(frame) }
}

/** @returns the sum of pseudo-header and message: 0xffff when its checksum is right (RFC 8200 8.1) */
function sum(frame: Buffer): number { return sumOf([...frame.subarray(22), 0, frame.length - 54, 0, 58]) }

/** The reply of `source` to a request, by hand. */
function replyTo(request: Buffer, source: string, change: (reply: Buffer) => void = () => {}): Buffer {
  const reply = Buffer.from(request)
  request.copy(reply, 0, 6, 12)
  Buffer.from('020000000002', 'hex').copy(reply, 6)
  reply[21] = 64
  Buffer.from(source, 'hex').copy(reply, 22)
  request.copy(reply, 38, 22, 38)
  reply[54] = 129
  reply.writeUInt16BE(0, 56)
  change(reply)
  reply.writeUInt16BE(0xffff - sum(reply), 56)
  return reply
}

const rawSockets = () => readFileSync('/proc/self/net/raw6', 'utf8').trim().split('\n').length - 1

t.test(`${HOSTS} Linux hosts on a bridge`, async (t) => {
  const { ifindex, mac } = link('d0')
  sh(`ip netns add lan; ip netns exec lan sysctl -qw net.ipv6.conf.default.disable_ipv6=1; ip link set d0p netns lan
      ip -n lan link add name br0 type bridge; ip -n lan link set br0 up; ip -n lan link set d0p master br0; ip -n lan link set d0p up
      for i in $(seq ${HOSTS}); do
        ip netns add h$i; ip netns exec h$i sysctl -qw net.ipv6.conf.default.accept_dad=0
        ip -n lan link add p$i type veth peer name eth0 address 02:00:00:00:01:$(printf %02x $i) netns h$i
        ip -n lan link set p$i master br0; ip -n lan link set p$i up; ip -n h$i link set eth0 up
        ip -n h$i -6 addr add 2001:db8::1:$i/64 dev eth0; ip -n h$i -6 neigh add 2001:db8::ff lladdr 02:00:00:00:00:ff dev eth0
      done
      for i in $(seq ${HOSTS}); do ping -c 1 -w 10 -i 0.1 fe80::ff:fe00:1$(printf %02x $i)%d0; done`)
  t.teardown(() => sh(`for i in $(seq ${HOSTS}); do ip netns del h$i; done; ip netns del lan`))
  const to = reader()
  const discovery = new Discovery({ ifindex, mac }, IDENTIFIER, to)
  const answers = (address: (hex: string, i: number) => string) => Array.from({ length: HOSTS }, (_, i) => {
    const hex = (i + 1).toString(16).padStart(2, '0')
    return `${address(hex, i + 1)} 02:00:00:00:01:${hex}`
  }).sort()

  discovery.discover([GLOBAL])
  await until(() => to.events.length >= HOSTS)
  t.strictSame(to.events.splice(0).sort(), answers((_, i) => `2001:db8::1:${i}`))

  discovery.discover([LOCAL])
  await until(() => to.events.length >= HOSTS)
  t.strictSame(to.events.splice(0).sort(), answers((hex) => `fe80::ff:fe00:1${hex}`), 'no global address')

  discovery.discover([GLOBAL, LOCAL])
  await until(() => to.events.length >= 2 * HOSTS)
  t.equal(new Set(to.events.splice(0)).size, 2 * HOSTS)
  discovery.close()
})

t.test('the request, and packets that are no reply to it', async (t) => {
  const { ifindex, mac } = link('d1')
  sh('sysctl -qw net.ipv6.conf.d1p.disable_ipv6=1; ip link set d1p up')
  const to = reader()
  const { requests, send } = wire('d1p')
  const discovery = new Discovery({ ifindex, mac }, IDENTIFIER, to)
  discovery.discover([])
  discovery.discover([GLOBAL])
  await until(() => requests.length === 1)
  const [request] = requests
  t.match(request.toString('hex'), new RegExp(`^333300000001 0200000000ff 86dd
    6000000000103aff 20010db80000000000000000000000ff ff020000000000000000000000000001
    8000....beef0000 [0-9a-f]{16}$`.replace(/\s+/g, '')))
  t.equal(sum(request), 0xffff, 'checksum')

  const host = '20010db8000000000000000000000002'
  send(replyTo(request, host, (reply) => { reply[69] ^= 1 }))                        // cookie
  send(replyTo(request, host, (reply) => { reply[59] ^= 1 }))                        // identifier
  send(replyTo(request, host, (reply) => { reply[53] = 0xfe }))                      // to another source
  send(replyTo(request, host, (reply) => { reply[5] = 0xfe }))                       // to another's MAC
  send(replyTo(request, 'ff020000000000000000000000000002'))
  const wrong = replyTo(request, host)
  wrong[56] ^= 1
  send(wrong)                                                                        // checksum
  send(replyTo(request, '20010db8000000000000000000000003'))
  await until(() => to.events.length > 0)
  t.strictSame(to.events.splice(0), ['2001:db8::3 02:00:00:00:00:02'])
  t.match(sh('ip -d link show d1'), /allmulti 0/)

  discovery.discover([LOCAL])
  await until(() => requests.length === 2)
  t.equal(requests[1].toString('hex', 22, 38), 'fe8000000000000000000000000000ff')
  t.equal(requests[1].toString('hex', 62), request.toString('hex', 62), 'one cookie while replies may come')
  send(replyTo(request, '20010db8000000000000000000000004'))
  await until(() => to.events.length > 0)
  t.strictSame(to.events.splice(0), ['2001:db8::4 02:00:00:00:00:02'], 'a late reply')
  discovery.close()
  send(replyTo(request, host))
  discovery.discover([GLOBAL])
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.strictSame([to.events, requests.length], [[], 2])
})

t.test('the sockets close three seconds after the last request, and open again', async (t) => {
  const { ifindex, mac } = link('d2')
  sh('sysctl -qw net.ipv6.conf.d2p.disable_ipv6=1; ip link set d2p up')
  // Threads close packet sockets: those of earlier tests may still be there.
  await new Promise((resolve) => setTimeout(resolve, 500))
  const before = [packetSockets().length, rawSockets()]
  const { requests } = wire('d2p')
  const to = reader()
  const discovery = new Discovery({ ifindex, mac }, IDENTIFIER, to)
  discovery.discover([])
  t.strictSame([packetSockets().length, rawSockets()], [before[0] + 1, before[1]], 'nothing open without sources')
  discovery.discover([GLOBAL])
  await new Promise((resolve) => setTimeout(resolve, 1000))
  discovery.discover([LOCAL])
  t.strictSame([packetSockets().length, rawSockets()], [before[0] + 2, before[1] + 1])
  await new Promise((resolve) => setTimeout(resolve, 2500))
  t.equal(packetSockets().length, before[0] + 2, 'not yet')
  await until(() => packetSockets().length === before[0] + 1, 1000)
  t.equal(rawSockets(), before[1])
  discovery.discover([GLOBAL])
  await until(() => requests.length === 3)
  t.not(requests[2].toString('hex', 62), requests[1].toString('hex', 62), 'another cookie')
  t.strictSame(to.events, [])
  discovery.close()
  await until(() => packetSockets().length === before[0] + 1 && rawSockets() === before[1])
})

t.test('errors are reported', async (t) => {
  const to = reader()
  const { ifindex, mac } = link('d3')
  const discovery = new Discovery({ ifindex, mac }, IDENTIFIER, to)
  discovery.discover([GLOBAL])
  sh('ip link set d3 down')
  await until(() => to.events.length > 0)
  to.events.length = 0
  discovery.discover([GLOBAL])
  t.strictSame(to.events.splice(0), ['ENETUNREACH'])
  discovery.close()
  const before = rawSockets()
  const gone = new Discovery({ ifindex: 9999, mac }, IDENTIFIER, to)
  gone.discover([GLOBAL])
  t.strictSame(to.events, ['ENODEV'])
  t.equal(rawSockets(), before)
  gone.close()
})
