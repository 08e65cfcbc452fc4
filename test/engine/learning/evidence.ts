import t from 'tap'
import type { Mac } from '../../../src/address.ts'
import { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import { evidence, isSignOfLife } from '../../../src/engine/learning/evidence.ts'
import type { ActiveRule } from '../../../src/engine/rules/rule.ts'
import { ETH0, ETH1, ip, mac, SUBNET, VM2, VM3, worldOf } from '../kit/neighbor.ts'

const TARGET = ip('2001:db8::2')
const SIGN = { ifindex: ETH1, mac: mac(VM2) }

/** The rule by which the target may be learned on eth1. */
function ruleOf(config: string): ActiveRule { return worldOf(config).rules.owning(ETH1, TARGET.w0, TARGET.w1, TARGET.w2, TARGET.w3)! }

const subnet = ruleOf(SUBNET)
const entry = (more: Partial<Neighbor> = {}): Neighbor => Object.assign(new Neighbor(TARGET, subnet), more)
const owned = (more: Partial<Neighbor> = {}): Neighbor => entry({ state: 'REACHABLE', ifindex: ETH1, mac: mac(VM2), ...more })

/** The meaning of a sign of life from VM2 on eth1, unless `sign` differs. */
function meaning(neighbor: Neighbor | undefined, rule: ActiveRule | undefined, sign: { ifindex: number; mac: Mac | undefined } = SIGN): string {
  return evidence(neighbor, rule, sign.ifindex, sign.mac)
}

t.test('without an owner: a probe, where a rule learns', async (t) => {
  t.equal(meaning(undefined, undefined), 'none', 'no rule')
  t.equal(meaning(undefined, subnet), 'probe')
  t.equal(meaning(entry(), subnet), 'probe')
  t.equal(meaning(entry({ state: 'FAILED' }), subnet), 'probe', 'ends the negative cache')
  t.equal(meaning(undefined, ruleOf(SUBNET.replace('host', 'learn no\n host'))), 'none')
})

t.test('a plain proxy rule probes when it is solicited; a sign of life only ends the negative cache', async (t) => {
  const plain = ruleOf('proxy eth0 { rule 2001:db8::/64 { iface eth1 } }')
  t.equal(meaning(undefined, plain), 'none')
  t.equal(meaning(entry({ state: 'FAILED' }), plain), 'probe')
  t.equal(meaning(undefined, ruleOf('proxy eth0 { autowire yes\n rule 2001:db8::/64 { iface eth1 } }')), 'probe')
})

t.test('with an owner: the owner itself, or a rival', async (t) => {
  for (const state of ['REACHABLE', 'PROBE'] as const) {
    t.equal(meaning(owned({ state }), subnet), 'known')
    t.equal(meaning(owned({ state }), subnet, { ...SIGN, ifindex: ETH0 }), 'contest', 'on another link')
    t.equal(meaning(owned({ state }), subnet, { ...SIGN, mac: mac(VM3) }), 'contest', 'with another link-layer address')
  }
  t.equal(meaning(owned(), subnet, { ...SIGN, mac: undefined }), 'known', 'on a link without link-layer addresses')
  t.equal(meaning(owned({ mac: undefined }), subnet), 'known', 'the owner\'s link-layer address is unknown')
  t.equal(meaning(owned(), undefined, { ...SIGN, ifindex: ETH0 }), 'none', 'where no rule learns')
})

t.test('an entry of the kernel: in the negative cache, only a fresh one counts', async (t) => {
  t.equal(isSignOfLife('known', undefined), true)
  t.equal(isSignOfLife('known', owned()), true)
  t.equal(isSignOfLife('known', entry({ state: 'FAILED' })), false, 'it may be old')
  t.equal(isSignOfLife('probing', entry({ state: 'FAILED' })), false)
  t.equal(isSignOfLife('reachable', entry({ state: 'FAILED' })), true)
})
