import t from 'tap'
import { Address, formatMac, parseMac } from '../../src/address.ts'
import { PacketSocket } from '../../src/linux/packet.ts'
import { QUEUE_LIMIT, Solicitor } from '../../src/linux/solicitor.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

const MAC = parseMac('02:00:00:00:00:01')!
const TARGET = Address.parse('2001:db8::12:3456')!

function link(name: string) {
  veth(`${name} address 02:00:00:00:00:01`, `${name}p`)
  sh(`ip -6 addr flush dev ${name}; ip -6 addr add fe80::1/64 dev ${name} nodad`)
  return { name, mac: MAC }
}

/** What arrives at the other end of `name`. */
function listen(name: string) {
  const heard: string[] = []
  const socket = new PacketSocket({
    ifindex: Number.parseInt(sh(`ip -o link show ${name}p`)), mac: undefined, promiscuous: false, ring: false, cooked: false,
  }, {
    begin: () => {}, end: () => {}, query: () => {}, failed: (error) => heard.push(error.message),
    packet: (view, drop) => heard.push(drop ?? [
      view.type, view.source(), new Address(view.d0, view.d1, view.d2, view.d3), view.target(),
      formatMac(view.sourceMac), formatMac(view.destinationMac), view.slla === -1 ? 'none' : formatMac(view.slla),
    ].join(' ')),
  })
  t.teardown(() => socket.close())
  return heard
}

t.test('a valid solicitation, to the solicited-node group, from an address of the kernel\'s choice', async (t) => {
  const failed: Error[] = []
  const solicitor = new Solicitor(link('s0'), (error) => failed.push(error))
  const heard = listen('s0')
  solicitor.solicit(TARGET)
  await until(() => heard.length === 1)
  t.strictSame(heard.splice(0), [
    '135 fe80::1 ff02::1:ff12:3456 2001:db8::12:3456 02:00:00:00:00:01 33:33:ff:12:34:56 02:00:00:00:00:01'])
  sh('ip -6 addr add 2001:db8::9/64 dev s0 nodad')
  solicitor.mac = undefined
  solicitor.solicit(Address.parse('2001:db8::7')!)
  await until(() => heard.length === 1)
  t.match(heard.splice(0), [/ ff02::1:ff00:7 2001:db8::7 .* none$/])
  solicitor.mac = MAC
  for (let i = 1; i <= 500; i++) solicitor.solicit(new Address(0x20010db8, 0, 0, i))
  await until(() => heard.length === 500)
  t.match(heard[499], / 2001:db8::1f4 /, 'many, in their order')
  heard.length = 0
  t.ok(Array.from({ length: QUEUE_LIMIT }, () => solicitor.solicit(TARGET)).every(Boolean))
  t.equal(solicitor.solicit(TARGET), false, 'there is room for so many')
  t.equal(solicitor.waiting, QUEUE_LIMIT)
  let turns = 0
  const count = (): void => { turns++; if (solicitor.waiting > 0) setImmediate(count) }
  setImmediate(count)
  await until(() => heard.length === QUEUE_LIMIT)
  t.ok(turns >= QUEUE_LIMIT / 5, 'a few in a turn: others have theirs')
  t.strictSame(failed, [])
  solicitor.close()
  solicitor.close()
  solicitor.solicit(TARGET)
  t.strictSame(failed, [])
})

t.test('two links: each by its own', async (t) => {
  const [one, two] = [link('s1'), link('s2')].map((link) => new Solicitor(link, (error) => t.fail(error.message)))
  const [first, second] = [listen('s1'), listen('s2')]
  two.solicit(TARGET)
  await until(() => second.length === 1)
  one.solicit(TARGET)
  await until(() => first.length === 1)
  t.equal(second.length, 1)
  one.close()
  two.close()
})

t.test('it hears nothing', async (t) => {
  const solicitor = new Solicitor(link('s3'), (error) => t.fail(error.message))
  sh('ip -6 addr add fe80::2/64 dev s3p nodad; ip netns add far; ip link set s3p netns far; ' +
    'ip netns exec far sh -c "ip link set s3p up; ip -6 addr add fe80::2/64 dev s3p nodad"; ping -c 2 -i 0.1 fe80::2%s3')
  // raw6: local address:protocol is 3A; the last but four columns are queues.
  const rows = sh('cat /proc/self/net/raw6').split('\n').filter((row) => /:003A /.test(row))
  t.ok(rows.length > 0)
  for (const row of rows) t.match(row, / [0-9A-F]{8}:00000000 /, 'nothing waits to be read')
  solicitor.close()
  sh('ip netns del far')
})

t.test('trouble has a name', async (t) => {
  t.throws(() => new Solicitor({ name: 'nowhere', mac: MAC }, () => {}), { code: 'ENODEV', errno: -19, syscall: 'setsockopt' })
  const failed: unknown[] = []
  const solicitor = new Solicitor(link('s4'), (error) => failed.push((error as { code?: string }).code ?? error))
  const trouble = async (command: string) => {
    sh(command)
    solicitor.solicit(TARGET)
    await until(() => solicitor.waiting === 0)
    return failed.splice(0)
  }
  t.strictSame(await trouble('true'), [])
  t.strictSame(await trouble('ip -6 addr flush dev s4'), ['EADDRNOTAVAIL'])
  t.strictSame(await trouble('ip link set s4 down'), ['ENETUNREACH'])
  t.strictSame(await trouble('ip link set s4 up; ip -6 addr add fe80::1/64 dev s4 nodad'), [])
  t.strictSame(await trouble('ip link del s4'), ['ENETUNREACH'])
  t.strictSame(await trouble('ip link add s4 type veth peer name s4p'), ['ENETUNREACH'], 'another link of that name is not ours')
  solicitor.close()
})

t.test('a process with an open one may end', async (t) => {
  const url = new URL('../../src/linux/solicitor.js', import.meta.url).href
  link('s5')
  sh(`${process.execPath} --input-type=module -e "
    import { Solicitor } from '${url}'
    new Solicitor({ name: 's5', mac: undefined }, () => {})"`)
  t.pass()
})
