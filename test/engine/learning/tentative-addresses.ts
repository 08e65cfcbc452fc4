import t from 'tap'
import { ETH1, nthMac, Stage, SUBNET, VM, VM2 } from '../kit/stage.ts'

const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n host')

t.test('DAD without objection is evidence', async (t) => {
  const stage = new Stage(TIMED)
  stage.dad(ETH1, VM, VM2)
  t.same(stage.probes(), [`solicit eth0 ${VM}`], 'as for any solicitation')
  stage.wait(1099)
  t.same(stage.probes().filter((line) => line.includes('eth1')), [])
  stage.wait(1)
  t.same(stage.probes(), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
})

/** @param hosts link-layer addresses that the `count` addresses in DAD share @returns how many of the addresses are probed after DAD */
function tentative(count: number, hosts: number, config: string): number {
  const stage = new Stage(config.replace('timeout 100', 'timeout 10\n deadtime 0'))
  for (let n = 1; n <= count; n++) stage.dad(ETH1, `2001:db8::2:${n.toString(16)}`, nthMac(n % hosts))
  stage.wait(1000)
  stage.sink.take()
  // The end of DAD, and the first probe of each.
  stage.wait(100 + 1024 / 4)
  return new Set(stage.sink.take('solicit eth1')).size
}

t.test('addresses in DAD are limited, in all and for each host', async (t) => {
  t.equal(tentative(3000, 3000, TIMED), 1024)
  t.equal(tentative(100, 1, TIMED.replace('host', 'host-limit 10\n host')), 10)
  t.equal(tentative(100, 4, TIMED.replace('host', 'host-limit 10\n host')), 40)
})

t.test('addresses whose DAD is over do not count', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 1\n host'))
  for (const at of [0, 600, 1200, 1800]) {
    stage.dad(ETH1, `2001:db8::3:${at}`, VM2)
    stage.wait(600)
  }
  stage.wait(1000)
  t.same([...new Set(stage.sink.take('solicit eth1'))], ['solicit eth1 2001:db8::3:0', 'solicit eth1 2001:db8::3:1200'])
})
