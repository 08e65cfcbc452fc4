import t from 'tap'
import { TENTATIVE_LIMIT } from '../../../src/engine/learning/tentative-addresses.ts'
import { ETH1, ETH2, many, nthMac, Stage, SUBNET, twoDownstreams, VM, VM2, VM3 } from '../kit/stage.ts'

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

/** @returns the number of addresses in DAD */
function waiting(stage: Stage): number { return stage.engine.limits(stage.now).find(({ name }) => name === 'addresses in DAD')!.used }

t.test('repetitions take one place, whoever sends them', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 1\n host'))
  for (let n = 0; n < 3000; n++) stage.dad(ETH1, VM, n % 2 === 0 ? VM2 : nthMac(n))
  t.equal(waiting(stage), 1)
  stage.wait(1100)
  t.equal(waiting(stage), 0)
  stage.na(ETH1, VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
})

t.test('the same address on two links is evidence on both', async (t) => {
  const stage = twoDownstreams(TIMED)
  stage.dad(ETH1, many(1), VM3)
  stage.dad(ETH2, many(1), VM3)
  t.equal(waiting(stage), 2)
  stage.sink.take()
  stage.wait(1100)
  t.same([...new Set(stage.sink.take('solicit eth1', 'solicit eth2'))].sort(), [`solicit eth1 ${many(1)}`, `solicit eth2 ${many(1)}`])
  t.equal(waiting(stage), 0)
})

t.test('addresses whose DAD is over do not count', async (t) => {
  const stage = new Stage(TIMED)
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 3000; n++) stage.dad(ETH1, many(3000 * round + n), nthMac(n))
    t.equal(waiting(stage), 1024)
    stage.wait(1100)
    t.equal(waiting(stage), 0)
  }
})

/**
 * A flood of DAD for other addresses, in the name of the victim, during which the victim checks an address, and answers for it once the
 * check is over. @param gap milliseconds between two frames
 */
function flooded(gap: number, config: string): Stage {
  const stage = new Stage(config)
  let n = 0
  const flood = (ms: number): void => {
    for (const end = stage.now + ms; stage.now < end; stage.wait(gap)) stage.dad(ETH1, `2001:db8::5:${(++n).toString(16)}`, VM2)
  }
  flood(3000)
  stage.dad(ETH1, VM, VM2)
  flood(1000)
  stage.sink.take()
  for (let ms = 0; ms < 500 && stage.sink.take(`solicit eth1 ${VM}`).length === 0; ms += gap) flood(gap)
  stage.na(ETH1, VM, VM2)
  return stage
}

t.test('forged DAD in the name of a host does not keep out its own', async (t) => {
  for (const gap of [5, 3]) t.equal(flooded(gap, SUBNET).known[VM], 'REACHABLE eth1 routed', `every ${gap} ms`)
  t.equal(flooded(5, SUBNET.replace('host', 'host-limit 16\n host')).known[VM], 'REACHABLE eth1 routed')
})

t.test('a host leaves places to the others on its link', async (t) => {
  const stage = new Stage(TIMED)
  for (let n = 0; n < 2000; n++) stage.dad(ETH1, many(n), VM2)
  const most = Math.ceil(TENTATIVE_LIMIT / 3)
  t.equal(waiting(stage), most)
  t.match(stage.sink.take('limit tentative'), { length: 2000 - most })
  for (let n = 0; n < 300; n++) stage.dad(ETH1, many(5000 + n), nthMac(n))
  t.equal(waiting(stage), most + 300)
  stage.wait(1100)
  for (let n = 0; n < 2000; n++) stage.dad(ETH1, many(8000 + n), VM2)
  t.equal(waiting(stage), most, 'addresses whose DAD is over do not count')
})
