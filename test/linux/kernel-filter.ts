import t from 'tap'
import { spawn } from 'node:child_process'
import { parseMac, Prefix } from '../../src/address.ts'
import type { Filter } from '../../src/engine-types.ts'
import { native } from '../../src/linux/native.ts'
import { KernelFilter } from '../../src/linux/kernel-filter.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { acknowledgement, fakeKernel } from '../fixtures/fake-kernel.ts'
import { na, ns } from '../kit/frames.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, Wire } from './kit/links.ts'
await ownNamespace()

const parse = (prefixes: readonly string[]): Prefix[] => prefixes.map((prefix) => Prefix.parse(prefix)!)
const rule = (ifindex: number, ...prefixes: string[]): Filter => ({ ifindex, mac: undefined, prefixes: parse(prefixes), excluded: [] })
const ruleOf = (ifindex: number, mac: string, ...prefixes: string[]): Filter => ({ ...rule(ifindex, ...prefixes), mac: parseMac(mac) })
const list = (): string => sh('nft list ruleset')

t.test('the table as nft lists it; close removes it', async (t) => {
  sh('ip link add q0 index 50 type veth peer name q1 index 51')
  const filter = new KernelFilter()
  t.equal(filter.apply([ruleOf(51, '02:00:00:00:00:51', '2001:db8:1::/64'),
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
  t.equal(filter.apply([rule(50, '::/0')]), undefined)
  t.match(list(), /elements = \{ ::\/0 \}/)
  t.notMatch(list(), /p51/, 'replaced, not added to')
  const excluded = parse(['2001:db8::', '2001:db8::8000/113'])
  t.equal(filter.apply([{ ...rule(50, '2001:db8::/64'), excluded }]), undefined)
  t.match(list(), /elements = \{ 2001:db8::1-2001:db8::7fff,\s+2001:db8::1:0-2001:db8::ffff:ffff:ffff:ffff \}/)
  t.equal(filter.apply([{ ...rule(50, '2001:db8::8001'), excluded }, rule(51)]), undefined)
  t.equal(list(), '', 'all prefixes are excluded')
  t.equal(filter.apply([rule(50), rule(51)]), undefined)
  t.equal(list(), '', 'no prefixes, no table')
  t.equal(filter.apply([], 58135), undefined)
  t.equal(filter.group, 58135)
  t.equal(list().replace(/ # progname.*/, ''), `table ip6 ndp6d {
	flags owner

	chain output {
		type filter hook output priority filter; policy accept;
		icmpv6 type nd-neighbor-solicit ip6 daddr ff02::1:ff00:0/104 ip6 saddr != :: ip6 flowlabel 0 log group 58135
	}
}
`, 'logs the kernel\'s own solicitations')
  t.equal(filter.apply([rule(50, '::/0')], 58136), undefined)
  t.match(list(), /chain prerouting[^]*chain output[^]*log group 58136/)
  const watched = new Set([50, 51])
  t.equal(filter.apply([rule(50, '2001:db8::/64'), ruleOf(51, '02:00:00:00:00:51', '2001:db8::/64')], 58136, watched), undefined)
  t.match(list(), /chain postrouting \{\n\t\ttype filter hook postrouting priority filter; policy accept;\n/)
  t.match(list(), /\n\t\toif "q0" ip6 daddr @p50 limit rate 1000\/second burst 256 packets log group 58136\n\t\}/,
    'where the kernel solicits nothing')
  t.equal(filter.apply([rule(50, '2001:db8::/64')], 58136, new Set()), undefined)
  t.notMatch(list(), /postrouting/)
  t.equal(filter.apply([rule(50, '::/0')]), undefined, 'and back again')
  t.equal(filter.group, undefined)
  t.notMatch(list(), /output/)
  t.match(list(), /p50/)
  filter.close()
  filter.close()
  t.equal(list(), '')
})

t.test('nothing is sent when nothing changes', async (t) => {
  let sent = 0
  const filter = new KernelFilter((...args) => {
    const socket = native.openNetlink(...args)
    const send = socket.send.bind(socket)
    socket.send = (...message) => {
      sent++
      return send(...message)
    }
    return socket
  })
  filter.apply([rule(50, '2001:db8::/64', '2001:db8:0:1::/64'), rule(51, '::1')])
  t.equal(sent, 1)
  filter.apply([rule(51, '::1'), rule(50, '2001:db8:0:1::/64'), rule(50, '2001:db8::/64')])
  t.equal(sent, 1, 'the same in another order')
  filter.apply([rule(51, '::1'), rule(50, '2001:db8:0:1::/64')])
  t.equal(sent, 2)
  filter.apply([ruleOf(51, '02:00:00:00:00:51', '::1'), rule(50, '2001:db8:0:1::/64')])
  t.equal(sent, 3, 'another link-layer address')
  for (const _ of [1, 2]) filter.apply([ruleOf(51, '02:00:00:00:00:51', '::1'), rule(50, '2001:db8:0:1::/64')], 58135)
  t.equal(sent, 4, 'another group')
  filter.close()
})

t.test('100 000 prefixes', async (t) => {
  const many = Array.from({ length: 100_000 }, (_, i) => `2001:db8:${(i >> 8).toString(16)}:${((i & 255) * 2).toString(16)}::/64`)
  const filter = new KernelFilter()
  const error = filter.apply([rule(50, ...many)])
  if (process.getuid!() === 0 && process.env.NDP6D_LAB_USERNS !== '1') {
    t.equal(error, undefined)
    t.equal(list().match(/\/64/g)?.length, 100_000)
  } else {
    t.ok(error === undefined || error.code === 'EMSGSIZE', 'an ordinary user may not enlarge the send buffer so far')
  }
  filter.close()
  t.equal(list(), '')
})

t.test('a table of the previous run without owner flag is replaced; tables of other programs stay', async (t) => {
  sh(`nft 'table ip6 ndp6d { chain old { type filter hook input priority 0; }; chain prerouting { counter; }; }'
      nft 'table ip6 other { chain mine { counter; }; }'`)
  const filter = new KernelFilter()
  t.equal(filter.apply([rule(50, '2001:db8::/64')]), undefined)
  t.notMatch(list(), /chain old/)
  t.equal(list().match(/table ip6 ndp6d/g)?.length, 1)
  filter.close()
  t.match(list(), /^table ip6 other \{\n\tchain mine/)
  t.notMatch(list(), /ndp6d/)
  sh('nft \'table ip6 ndp6d { chain old { counter; }; }\'')
  t.equal(new KernelFilter().apply([]), undefined)
  t.notMatch(list(), /ndp6d/, 'even without filters')
  sh('nft delete table ip6 other')
})

t.test('of two at a time the second is refused', async (t) => {
  const first = new KernelFilter()
  const second = new KernelFilter()
  first.apply([rule(50, '2001:db8::/64')])
  t.equal(second.apply([rule(51, '2001:db8::/64')])?.code, 'EPERM')
  t.match(list(), /set p50/)
  second.close()
  t.match(list(), /set p50/)
  first.close()
})

t.test('after SIGKILL the table is gone', async (t) => {
  const [filterUrl, addressUrl] = ['kernel-filter', '../address'].map((name) => new URL(`../../src/linux/${name}.js`, import.meta.url).href)
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { KernelFilter } from '${filterUrl}'
    import { Prefix } from '${addressUrl}'
    const filter = new KernelFilter()
    filter.apply([{ ifindex: 50, mac: undefined, prefixes: [Prefix.parse('2001:db8::/64')], excluded: [] }], 58135)
    // The garbage collector would close the socket, and the kernel remove the table.
    setInterval(() => filter, 1000)`], { stdio: ['ignore', 'inherit', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await until(() => list().includes('table ip6 ndp6d'))
  child.kill('SIGKILL')
  await until(() => !list().includes('ndp6d'))
  t.equal(list(), '')
})

t.test('a kernel without owner flag; one without nf_tables', async (t) => {
  const sizes: number[] = []
  const old = fakeKernel((request) => {
    // NEWTABLE with flags 2 is refused with EINVAL; NFNL_MSG_BATCH_BEGIN and all else pass.
    const owner = request.type === 0x0a00 && request.bytes[request.end - 1] === 2
    sizes.push(request.type)
    return owner ? [acknowledgement(request, 22)] : request.flags & 4 ? [acknowledgement(request)] : []
  })
  const filter = new KernelFilter(old.open)
  t.equal(filter.apply([rule(50, '::1')]), undefined)
  t.equal(old.sent.length, 2, 'again without it')
  t.equal(filter.apply([rule(50, '::2')]), undefined)
  t.equal(old.sent.length, 3, 'and never with it again')
  filter.close()
  t.equal(old.sent.length, 4, 'close deletes a table without owner')

  const none = fakeKernel((request) => request.type === 0x10 ? [acknowledgement(request, 95)] : [])
  const unsupported = new KernelFilter(none.open)
  t.equal(unsupported.apply([rule(50, '::1')])?.code, 'ENOTSUP')
  t.equal(unsupported.apply([]), undefined)
  const failing = new KernelFilter(() => { throw Object.assign(new Error('socket'), { code: 'EPROTONOSUPPORT' }) })
  t.equal(failing.apply([rule(50, '::1')])?.code, 'EPROTONOSUPPORT')
  t.equal(failing.apply([]), undefined)
})

t.test('on a kernel without owner flag, a table that another program deleted is made again', async (t) => {
  const filter = new KernelFilter((...args) => {
    const socket = native.openNetlink(...args)
    const send = socket.send.bind(socket)
    socket.send = (slab, slot, lengths, count) => {
      // NFTA_TABLE_FLAGS: the owner flag becomes one that the kernel does not know.
      const at = Buffer.from(slab.buffer, slab.byteOffset, lengths[0]).indexOf('ndp6d\0\0\0\x08\0\x02\0\0\0\0\x02', 'latin1')
      if (at >= 0) slab[at + 12] = 0xff
      return send(slab, slot, lengths, count)
    }
    return socket
  })
  t.equal(filter.apply([rule(50, '2001:db8::/64')]), undefined)
  t.match(list(), /p50/)
  t.notMatch(list(), /owner/)
  sh('nft flush ruleset')
  t.equal(filter.apply([rule(51, '2001:db8::/64')]), undefined)
  t.match(list(), /p51/)
  filter.close()
  t.equal(list(), '')
})

/** ICMPv6 frames of a link: sends them by their hex, and shows those that arrived since the last call as [type, hop limit]. */
function tap(name: string) {
  const wire = new Wire(name)
  return {
    take: () => wire.take().filter((frame) => frame[20] === 58).map((frame) => [frame[54], frame[21]] as const),
    send: (frame: Uint8Array) => wire.send(frame),
    close: () => wire.close(),
  }
}

t.test('a unicast NS or NA is neither rejected nor forwarded, and reaches the packet socket', async (t) => {
  const macs = { solicitor: '52:54:00:00:00:01', up: '52:54:00:00:00:02', down: '52:54:00:00:00:03', host: '52:54:00:00:00:04' }
  sh(`ip link add solicitor0 address ${macs.solicitor} type veth peer name up0 address ${macs.up}
      ip link add host0 address ${macs.host} type veth peer name down0 address ${macs.down}
      for i in solicitor0 host0; do echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done
      for i in solicitor0 up0 host0 down0; do ip link set $i up; done
      echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
      ip -6 addr add 2001:db8::ff/64 dev up0 nodad
      ip -6 route add 2001:db8::2 dev down0
      ip -6 neigh add 2001:db8::2 dev down0 lladdr ${macs.host}
      ip -6 neigh add fe80::99 dev up0 lladdr ${macs.solicitor}
      ip -6 neigh add 2001:db8::1 dev up0 lladdr ${macs.solicitor}`)
  const kernel = new Rtnetlink()
  await until(() => kernel.links().filter((link) => link.up && ['solicitor0', 'up0', 'host0', 'down0'].includes(link.name)).length === 4)
  const [solicitor, up, host] = [tap('solicitor0'), tap('up0'), tap('host0')]
  const send = async (type: 135 | 136, frame: Uint8Array) => {
    for (const link of [solicitor, up, host]) link.take()
    solicitor.send(frame)
    await new Promise((resolve) => setTimeout(resolve, 150))
    return {
      seen: up.take().filter((seen) => seen[0] === type).length,
      errors: solicitor.take().filter((seen) => seen[0] === 1).length,
      // The kernel's own have 255.
      leaked: host.take().filter((seen) => seen[0] === type && seen[1] !== 255).map(([, hopLimit]) => hopLimit),
    }
  }
  const solicit = (source: string, target: string) =>
    send(135, ns({ from: macs.solicitor, source, target, to: target, toMac: macs.up }))
  const advertise = (destination: string) => send(136,
    na({ from: macs.solicitor, target: '2001:db8::1', to: destination, toMac: macs.up, flags: 'RSO' }))
  t.strictSame(await solicit('2001:db8::1', '2001:db8::2'), { seen: 1, errors: 0, leaked: [254] }, 'without: forwarded')
  t.strictSame(await solicit('fe80::99', '2001:db8::2'), { seen: 1, errors: 1, leaked: [] }, 'without: an error')
  t.strictSame(await advertise('2001:db8::2'), { seen: 1, errors: 0, leaked: [254] }, 'without: forwarded, too')
  const filter = new KernelFilter()
  for (const mac of [undefined, parseMac(macs.up)]) {
    t.equal(filter.apply([{ ...rule(ifindex('up0'), '2001:db8::/64'), mac }]), undefined)
    t.strictSame(await solicit('2001:db8::1', '2001:db8::2'), { seen: 1, errors: 0, leaked: [] })
    t.strictSame(await solicit('fe80::99', '2001:db8::2'), { seen: 1, errors: 0, leaked: [] })
    t.strictSame(await advertise('2001:db8::2'), { seen: 1, errors: 0, leaked: [] })
  }

  solicitor.take()
  solicitor.send(ns({ from: macs.solicitor, source: 'fe80::99', target: '2001:db8::ff', to: '2001:db8::ff', toMac: macs.up }))
  let answers = 0
  await until(() => (answers += solicitor.take().filter(([type]) => type === 136).length) > 0)
  t.equal(answers, 1, 'the kernel still answers for its own addresses')
  filter.close()
  for (const link of [solicitor, up, host]) link.close()
  kernel.close()
})

t.test('frames between ports of our own bridge pass, even where netfilter sees them', async (t) => {
  const macs = { bridge: '52:54:00:00:01:00', a: '52:54:00:00:01:01', b: '52:54:00:00:01:02' }
  sh(`ip link add br9 address ${macs.bridge} type bridge mcast_snooping 0
      for i in host8 host9; do ip link add $i type veth peer name $i.port; ip link set $i.port master br9; done
      for i in host8 host9; do echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done
      for i in host8 host8.port host9 host9.port br9; do ip link set $i up; done
      f=/proc/sys/net/bridge/bridge-nf-call-ip6tables; [ ! -e $f ] || echo 1 > $f`)
  const kernel = new Rtnetlink()
  await until(() => kernel.links().filter(({ name, up }) => up && ['host8', 'host9', 'br9'].includes(name)).length === 3)
  const filter = new KernelFilter()
  t.equal(filter.apply([ruleOf(ifindex('br9'), macs.bridge, '2001:db8:9::/64')]), undefined)
  const [a, b] = [tap('host8'), tap('host9')]
  const ends = { source: '2001:db8:9::a', to: '2001:db8:9::b', from: macs.a, toMac: macs.b }
  a.send(ns({ ...ends, target: '2001:db8:9::b' }))
  a.send(na({ ...ends, target: '2001:db8:9::a', flags: 'S' }))
  const arrived: number[] = []
  const more = () => arrived.push(...b.take().map(([type]) => type).filter((type) => type === 135 || type === 136))
  await until(() => more() >= 2).catch(() => {})
  t.strictSame(arrived, [135, 136])
  filter.close()
  for (const link of [a, b]) link.close()
  kernel.close()
  sh('ip link del br9; ip link del host8; ip link del host9')
})
