/** Duplicate address detection across the proxy, by real Linux hosts (RFC 4862 5.4; product: who is answered, 8). */
import t from 'tap'
import type { Host } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { goodManners, scene } from './kit/scene.ts'
import { vmAddress } from './kit/topology.ts'

const STATIC = 'proxy eth0 {\n    rule 2001:db8::/64 {\n        static\n    }\n}\n'

interface AddressInfo { local: string; tentative?: boolean; dadfailed?: boolean }

function addressOf(host: Host, address: string): AddressInfo | undefined {
  const links = host.show<{ addr_info: AddressInfo[] }>('addr show dev eth0')
  return links[0].addr_info.find((info) => info.local === address)
}

/** Adds an address with real DAD and waits for the verdict. @returns `kept` or `dadfailed`, and after how long */
async function claim(host: Host, address: string): Promise<{ verdict: string; took: number }> {
  host.sysctl({ 'conf/eth0/router_solicitation_delay': 0, 'conf/eth0/accept_dad': 1 })
  const start = performance.now()
  host.ip(`addr add ${address}/64 dev eth0`)
  const verdict = await until(() => {
    const info = addressOf(host, address)
    return info?.dadfailed ? 'dadfailed' : info?.tentative ? undefined : 'kept'
  })
  return { verdict, took: Math.round(performance.now() - start) }
}

t.test('a live VM keeps its address against a newcomer outside; a free one is free on both sides', async (t) => {
  const stage = await scene(t)
  const { server, vms: [vm2] } = stage
  await stage.start()
  t.equal(await server.reaches(vmAddress(2), 2000), true)
  const thief = await stage.addNeighbor('thief')
  const stolen = await claim(thief, vmAddress(2))
  t.match(stolen, { verdict: 'dadfailed' })
  t.ok(stolen.took < 1000, `refused in ${stolen.took} ms`)
  t.equal((await claim(thief, vmAddress(0x70))).verdict, 'kept', 'outside, a free address')
  t.equal((await claim(vm2, vmAddress(0x71))).verdict, 'kept', 'inside, a free address')
  t.equal((await claim(vm2, '2001:db8::1')).verdict, 'dadfailed', 'inside, the address of the router')
  t.equal(await server.reaches(vmAddress(2), 1000), true, 'the VM was not disturbed')
  t.equal(await server.reaches(vmAddress(0x71), 2000), true, 'its new address works')
  const defences = stage.eth0.of('NA', vmAddress(2)).filter((na) => na.outgoing && na.destination === 'ff02::1')
  t.match(defences, [{ flags: /^R?$/, to: '33:33:00:00:00:01' }], 'one defence, to all nodes, not solicited')
  goodManners(t, stage)
})

t.test('a static rule does not stop a newcomer on its own link from taking a free address', async (t) => {
  const stage = await scene(t, [])
  await stage.start(STATIC)
  const newcomer = await stage.addNeighbor('newcomer')
  t.equal((await claim(newcomer, vmAddress(0x80))).verdict, 'kept')
  goodManners(t, stage)
})
