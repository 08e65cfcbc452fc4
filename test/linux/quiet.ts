import t from 'tap'
import { spawn } from 'node:child_process'
import { parseMac, Prefix } from '../../src/address.ts'
import type { QuietRule } from '../../src/engine/types.ts'
import { native } from '../../src/linux/native.ts'
import type { NativeSocket } from '../../src/linux/native.ts'
import { Quiet } from '../../src/linux/quiet.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { na, ns } from '../kit/frames.ts'

await ownNamespace()

const rule = (ifindex: number, ...prefixes: string[]): QuietRule =>
  ({ ifindex, mac: undefined, prefixes: prefixes.map((prefix) => Prefix.parse(prefix)!) })
const ruleOf = (ifindex: number, mac: string, ...prefixes: string[]): QuietRule =>
  ({ ...rule(ifindex, ...prefixes), mac: parseMac(mac) })
const list = (): string => sh('nft list ruleset')

t.test('the table is the one that is meant, and goes with close', async (t) => {
  sh('ip link add q0 index 50 type veth peer name q1 index 51')
  const quiet = new Quiet()
  t.equal(quiet.apply([ruleOf(51, '02:00:00:00:00:51', '2001:db8:1::/64'),
    rule(50, '2001:db8::/64', '2001:db8:0:1::/64', '2001:db8::5', 'ffff::/16', '2001:db8:ffff::7')]), undefined)
  t.equal(list().replace(/ # progname.*/, ''), `table ip6 ndp6d {
	flags owner

	set p50 {
		type ipv6_addr
		flags interval
		elements = { 2001:db8::/63,
			     2001:db8:ffff::7,
			     ffff::/16 }
	}

	set p51 {
		type ipv6_addr
		flags interval
		elements = { 2001:db8:1::/64 }
	}

	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		iif "q0" icmpv6 type 135-136 ip6 daddr @p50 fib daddr type != local drop
		iif "q1" ether daddr 02:00:00:00:00:51 icmpv6 type 135-136 ip6 daddr @p51 fib daddr type != local drop
	}
}
`)
  t.equal(quiet.apply([rule(50, '::/0')]), undefined)
  t.match(list(), /elements = \{ ::\/0 \}/)
  t.notMatch(list(), /p51/, 'replaced, not added to')
  t.equal(quiet.apply([rule(50), rule(51)]), undefined)
  t.equal(list(), '', 'nothing to be quiet about, no table')
  t.equal(quiet.apply([], 58135), undefined)
  t.equal(quiet.group, 58135)
  t.equal(list().replace(/ # progname.*/, ''), `table ip6 ndp6d {
	flags owner

	chain output {
		type filter hook output priority filter; policy accept;
		icmpv6 type nd-neighbor-solicit ip6 daddr ff02::1:ff00:0/104 ip6 saddr != :: ip6 flowlabel 0 log group 58135
	}
}
`, 'what the kernel asks itself is shown, too')
  t.equal(quiet.apply([rule(50, '::/0')], 58136), undefined)
  t.match(list(), /chain prerouting[^]*chain output[^]*log group 58136/)
  t.equal(quiet.apply([rule(50, '::/0')]), undefined, 'and back again')
  t.equal(quiet.group, undefined)
  t.notMatch(list(), /output/)
  t.match(list(), /p50/)
  quiet.close()
  quiet.close()
  t.equal(list(), '')
})

t.test('nothing is sent when nothing changes', async (t) => {
  let sent = 0
  const quiet = new Quiet((...args) => {
    const socket = native.openNetlink(...args)
    const send = socket.send.bind(socket)
    socket.send = (...message) => {
      sent++
      return send(...message)
    }
    return socket
  })
  quiet.apply([rule(50, '2001:db8::/64', '2001:db8:0:1::/64'), rule(51, '::1')])
  t.equal(sent, 1)
  quiet.apply([rule(51, '::1'), rule(50, '2001:db8:0:1::/64'), rule(50, '2001:db8::/64')])
  t.equal(sent, 1, 'the same in another order')
  quiet.apply([rule(51, '::1'), rule(50, '2001:db8:0:1::/64')])
  t.equal(sent, 2)
  quiet.apply([ruleOf(51, '02:00:00:00:00:51', '::1'), rule(50, '2001:db8:0:1::/64')])
  t.equal(sent, 3, 'another link-layer address')
  for (const _ of [1, 2]) quiet.apply([ruleOf(51, '02:00:00:00:00:51', '::1'), rule(50, '2001:db8:0:1::/64')], 58135)
  t.equal(sent, 4, 'another group')
  quiet.close()
})

t.test('100 000 prefixes', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, i) => `2001:db8:${(i >> 8).toString(16)}:${((i & 255) * 2).toString(16)}::/64`)
  const quiet = new Quiet()
  const error = quiet.apply([rule(50, ...many)])
  if (process.getuid!() === 0 && process.env.NDP6D_LAB_USERNS !== '1') {
    t.equal(error, undefined)
    t.equal(list().match(/\/64/g)?.length, 100_000)
  } else {
    t.ok(error === undefined || error.code === 'EMSGSIZE', 'an ordinary user may not enlarge the send buffer so far')
  }
  quiet.close()
  t.equal(list(), '')
})

t.test('a predecessor without owner flag is replaced; another program\'s tables are left alone', async (t) => {
  sh(`nft 'table ip6 ndp6d { chain old { type filter hook input priority 0; }; chain prerouting { counter; }; }'
      nft 'table ip6 other { chain mine { counter; }; }'`)
  const quiet = new Quiet()
  t.equal(quiet.apply([rule(50, '2001:db8::/64')]), undefined)
  t.notMatch(list(), /chain old/)
  t.equal(list().match(/table ip6 ndp6d/g)?.length, 1)
  quiet.close()
  t.match(list(), /^table ip6 other \{\n\tchain mine/)
  t.notMatch(list(), /ndp6d/)
  sh('nft \'table ip6 ndp6d { chain old { counter; }; }\'')
  t.equal(new Quiet().apply([]), undefined)
  t.notMatch(list(), /ndp6d/, 'even when there is nothing to be quiet about')
  sh('nft delete table ip6 other')
})

t.test('two at a time: the second is refused, the first stays', async (t) => {
  const first = new Quiet()
  const second = new Quiet()
  first.apply([rule(50, '2001:db8::/64')])
  t.equal(second.apply([rule(51, '2001:db8::/64')])?.code, 'EPERM')
  t.match(list(), /set p50/)
  second.close()
  t.match(list(), /set p50/)
  first.close()
})

t.test('after SIGKILL the table is gone', async (t) => {
  const [quietUrl, addressUrl] = ['quiet', '../address'].map((name) => new URL(`../../src/linux/${name}.js`, import.meta.url).href)
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { Quiet } from '${quietUrl}'
    import { Prefix } from '${addressUrl}'
    const quiet = new Quiet()
    quiet.apply([{ ifindex: 50, mac: undefined, prefixes: [Prefix.parse('2001:db8::/64')] }], 58135)
    // What nobody has any more is collected, and its table with it.
    setInterval(() => quiet, 1000)`], { stdio: ['ignore', 'inherit', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await until(() => list().includes('table ip6 ndp6d'))
  child.kill('SIGKILL')
  await until(() => !list().includes('ndp6d'))
  t.equal(list(), '')
})

t.test('a kernel that knows no owner flag; one that knows no nf_tables', async (t) => {
  const sizes: number[] = []
  const old = fakeKernel((request) => {
    // NEWTABLE with flags 2 is refused with EINVAL; NFNL_MSG_BATCH_BEGIN and all else pass.
    const owner = request.type === 0x0a00 && request.bytes[request.end - 1] === 2
    sizes.push(request.type)
    return owner ? [acknowledgement(request, 22)] : request.flags & 4 ? [acknowledgement(request)] : []
  })
  const quiet = new Quiet(old.open)
  t.equal(quiet.apply([rule(50, '::1')]), undefined)
  t.equal(old.sent.length, 2, 'once more, without')
  t.equal(quiet.apply([rule(50, '::2')]), undefined)
  t.equal(old.sent.length, 3, 'and never again with')
  quiet.close()
  t.equal(old.sent.length, 4, 'without an owner somebody has to delete the table')

  const none = fakeKernel((request) => request.type === 0x10 ? [acknowledgement(request, 95)] : [])
  const quietless = new Quiet(none.open)
  t.equal(quietless.apply([rule(50, '::1')])?.code, 'ENOTSUP')
  t.equal(quietless.apply([]), undefined)
  const failing = new Quiet(() => { throw Object.assign(new Error('socket'), { code: 'EPROTONOSUPPORT' }) })
  t.equal(failing.apply([rule(50, '::1')])?.code, 'EPROTONOSUPPORT')
  t.equal(failing.apply([]), undefined)
})

/** ICMPv6 frames that have come in on a link since the last call, as [type, hop limit]. */
function tap(ifindex: number): { take(): Array<readonly [number, number]>, send(frame: Uint8Array): void, close(): void } {
  const all = new Uint8Array(8)
  new DataView(all.buffer).setUint16(0, 6, true)
  new DataView(all.buffer).setUint32(4, 65535, true)
  const socket: NativeSocket = native.openPacket(
    { ifindex, protocol: 0x86dd, filter: all, promiscuous: false, receiveBuffer: 2 ** 18, cooked: false })
  const slab = new Uint8Array(64 * 2048)
  const meta = new Int32Array(64 * 4)
  return {
    take: () => Array.from({ length: socket.receive(slab, 2048, meta) },
      (_, i) => slab.subarray(i * 2048, i * 2048 + meta[4 * i])).filter((f) => f[20] === 58).map((f) => [f[54], f[21]] as const),
    send: (frame) => { socket.send(frame, frame.length, Int32Array.of(frame.length), 1) },
    close: () => socket.close(),
  }
}

t.test('a unicast NS or NA: no error, nothing leaks, and a packet socket sees it all the same', async (t) => {
  const macs = { asker: '52:54:00:00:00:01', up: '52:54:00:00:00:02', down: '52:54:00:00:00:03', host: '52:54:00:00:00:04' }
  veth(`asker0 address ${macs.asker}`, `up0 address ${macs.up}`, 'asker0')
  veth(`host0 address ${macs.host}`, `down0 address ${macs.down}`, 'host0')
  sh(`echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
      ip -6 addr add 2001:db8::ff/64 dev up0 nodad
      ip -6 route add 2001:db8::2 dev down0
      ip -6 neigh add 2001:db8::2 dev down0 lladdr ${macs.host}
      ip -6 neigh add fe80::99 dev up0 lladdr ${macs.asker}
      ip -6 neigh add 2001:db8::1 dev up0 lladdr ${macs.asker}`)
  const kernel = new Rtnetlink()
  const index = (name: string): number => kernel.links().find((link) => link.name === name)!.ifindex
  await until(() => kernel.links().filter((link) => link.up && link.kind === 'veth').length === 4)
  const [asker, up, host] = [tap(index('asker0')), tap(index('up0')), tap(index('host0'))]
  const send = async (type: 135 | 136, frame: Uint8Array) => {
    for (const link of [asker, up, host]) link.take()
    asker.send(frame)
    await new Promise((resolve) => setTimeout(resolve, 150))
    return {
      seen: up.take().filter((seen) => seen[0] === type).length,
      errors: asker.take().filter((seen) => seen[0] === 1).length,
      // The kernel's own have 255.
      leaked: host.take().filter((seen) => seen[0] === type && seen[1] !== 255).map(([, hopLimit]) => hopLimit),
    }
  }
  const ask = (source: string, target: string) =>
    send(135, ns({ from: macs.asker, source, target, to: target, toMac: macs.up }))
  const tell = (to: string) => send(136,
    na({ from: macs.asker, target: '2001:db8::1', to, toMac: macs.up, flags: 'RSO' }))
  t.strictSame(await ask('2001:db8::1', '2001:db8::2'), { seen: 1, errors: 0, leaked: [254] }, 'without: forwarded')
  t.strictSame(await ask('fe80::99', '2001:db8::2'), { seen: 1, errors: 1, leaked: [] }, 'without: an error')
  t.strictSame(await tell('2001:db8::2'), { seen: 1, errors: 0, leaked: [254] }, 'without: forwarded, too')
  const quiet = new Quiet()
  for (const mac of [undefined, parseMac(macs.up)]) {
    t.equal(quiet.apply([{ ...rule(index('up0'), '2001:db8::/64'), mac }]), undefined)
    t.strictSame(await ask('2001:db8::1', '2001:db8::2'), { seen: 1, errors: 0, leaked: [] })
    t.strictSame(await ask('fe80::99', '2001:db8::2'), { seen: 1, errors: 0, leaked: [] })
    t.strictSame(await tell('2001:db8::2'), { seen: 1, errors: 0, leaked: [] })
  }

  asker.take()
  asker.send(ns({ from: macs.asker, source: 'fe80::99', target: '2001:db8::ff', to: '2001:db8::ff', toMac: macs.up }))
  let answers = 0
  await until(() => (answers += asker.take().filter(([type]) => type === 136).length) > 0)
  t.equal(answers, 1, 'its own addresses the kernel answers for, as ever')
  quiet.close()
  for (const link of [asker, up, host]) link.close()
  kernel.close()
})

t.test('frames between ports of our own bridge are none of our business, even where netfilter sees them', async (t) => {
  const macs = { bridge: '52:54:00:00:01:00', a: '52:54:00:00:01:01', b: '52:54:00:00:01:02' }
  sh(`ip link add br9 address ${macs.bridge} type bridge mcast_snooping 0
      for i in host8 host9; do ip link add $i type veth peer name $i.port; ip link set $i.port master br9; done
      for i in host8 host9; do echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done
      for i in host8 host8.port host9 host9.port br9; do ip link set $i up; done
      f=/proc/sys/net/bridge/bridge-nf-call-ip6tables; [ ! -e $f ] || echo 1 > $f`)
  const kernel = new Rtnetlink()
  const index = (name: string): number => kernel.links().find((link) => link.name === name)!.ifindex
  await until(() => kernel.links().filter(({ name, up }) => up && ['host8', 'host9', 'br9'].includes(name)).length === 3)
  const quiet = new Quiet()
  t.equal(quiet.apply([ruleOf(index('br9'), macs.bridge, '2001:db8:9::/64')]), undefined)
  const [a, b] = [tap(index('host8')), tap(index('host9'))]
  const ends = { source: '2001:db8:9::a', to: '2001:db8:9::b', from: macs.a, toMac: macs.b }
  a.send(ns({ ...ends, target: '2001:db8:9::b' }))
  a.send(na({ ...ends, target: '2001:db8:9::a', flags: 'S' }))
  const arrived: number[] = []
  const more = () => arrived.push(...b.take().map(([type]) => type).filter((type) => type === 135 || type === 136))
  await until(() => more() >= 2).catch(() => {})
  t.strictSame(arrived, [135, 136])
  quiet.close()
  for (const link of [a, b]) link.close()
  kernel.close()
  sh('ip link del br9; ip link del host8; ip link del host9')
})
