/** Prefixes of guests: on two links, of lengths without SLAAC, and two in one Router Advertisement. */
import t from 'tap'
import { MAIN } from './kit/daemon.ts'
import { addGuest, addresses, clock, elapsed, hasDefaultRoute, HOSTER, inSeconds, ready } from './kit/guests.ts'
import { scene, until } from './kit/scene.ts'

t.test('guests on two links', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy } = stage
  const second = await lab.bridge('second')
  lab.link(proxy, 'eth2', second, 'proxy')
  const guests = [await addGuest(stage, 1), await addGuest(stage, 2, second)]
  await stage.start(HOSTER.replace('downstream eth1', 'downstream eth1 eth2'))
  const [left, right] = [await ready(guests[0]), await ready(guests[1])]
  const since = clock()
  t.comment(`${inSeconds(await elapsed(() => guests[0].reaches(right, 50), since))} until the other link answers`)
  t.ok(await guests[1].reaches(left), 'and back')
})

t.test('prefixes of other lengths: a default route, and addresses by hand', async (t) => {
  const stage = await scene(t, [])
  const { proxy, server } = stage
  const guest = await addGuest(stage, 1)
  for (const [length, address] of [[80, '2001:db8::5'], [112, '2001:db8::6']] as const) {
    proxy.ip('addr flush dev eth0 scope global', `addr add 2001:db8::ff/${length} dev eth0 nodad`, 'route replace default via 2001:db8::1')
    const daemon = await stage.start(HOSTER.replace('::/64', `::/${length}`))
    t.match(proxy.exec('sh', '-c', '"$@" 2>&1', 'sh', process.execPath, MAIN, 'check', daemon.configFile), /take no address in .* by themselves/)
    await until(() => hasDefaultRoute(guest))
    // Its solicitations need a source.
    await until(() => guest.exec('ip', '-6', 'addr', 'show', 'dev', 'eth0', 'scope', 'link', '-tentative').includes('fe80:'))
    t.match(guest.run(['rdisc6', '-1', 'eth0']),
      new RegExp(`Prefix\\s*:\\s*2001:db8::/${length}\n\\s*On-link\\s*:\\s*No\n\\s*Autonomous address conf\\.:\\s*No\n`))
    t.same(addresses(guest), [], `/${length}: none by itself`)
    guest.ip(`addr add ${address}/128 dev eth0 nodad`)
    await until(() => server.reaches(address))
    await daemon.stop()
  }
})

t.test('two subnets with one downstream: two prefixes in one message', async (t) => {
  const stage = await scene(t, [])
  const { lab, proxy, router, server } = stage
  lab.link(proxy, 'eth3', router, 'eth3')
  router.ip('addr add 2001:db8:1::1/64 dev eth3 nodad')
  proxy.ip('addr add 2001:db8:1::ff/64 dev eth3 nodad')
  for (const upstream of ['eth0', 'eth3']) {
    const daemon = await stage.start(`${HOSTER}\nsubnet 2001:db8:1::/64 {\nupstream ${upstream}\ndownstream eth1\nrouter-advertisements yes\n}`)
    const guest = await addGuest(stage, upstream === 'eth0' ? 1 : 2)
    const prefixes = ['2001:db8::', '2001:db8:1::']
    await ready(guest)
    const shown = await until(() => {
      const text = guest.run(['rdisc6', '-1', 'eth0'])
      return prefixes.every((prefix) => text.includes(`: ${prefix}/64`)) ? text : undefined
    })
    t.equal(shown.match(/On-link\s*:\s*No/g)?.length, 2, `upstream ${upstream}`)
    const found = await until(() => {
      const all = prefixes.map((prefix) => addresses(guest).find(({ local }) => local.startsWith(prefix.replace('::', ':'))
        && (prefix !== '2001:db8::' || !local.startsWith('2001:db8:1:')))?.local)
      return all.every(Boolean) ? all as string[] : undefined
    })
    await until(() => server.reaches(found[0]))
    if (upstream === 'eth3') await until(() => server.reaches(found[1]))
    await daemon.stop()
  }
})
