import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import type { Event } from '../../src/events.ts'
import { limitSentence, scanSentence } from '../../src/log/limit-sentences.ts'
import {
  bareSentence, conflictSentence, countersSentence, missingLinkSentence, neighborSentence, nextHopSentence, overrunSentence, proxySentence,
} from '../../src/log/sentences.ts'

const TARGET = Address.parse('2001:db8::4')!
const HOP = Address.parse('fe80::7')!
const MAC = parseMac('02:00:00:00:00:04')!
const names = (ifindex: number): string => `eth${ifindex}`

t.test('neighbors', async (t) => {
  type Neighbor = Extract<Event, { kind: 'neighbor' }>
  const nowhere = { ifindex: undefined, mac: undefined, news: false }
  const cases: readonly (readonly [Partial<Neighbor>, string])[] = [
    [{}, 'found 2001:db8::4 on eth1 (02:00:00:00:00:04)'],
    [{ mac: undefined }, 'found 2001:db8::4 on eth1'],
    [{ ifindex: 9, former: 1 }, '2001:db8::4 moved from eth1 to eth9 (02:00:00:00:00:04)'],
    [{ news: false }, 'verified 2001:db8::4 on eth1 (02:00:00:00:00:04): it answered'],
    [{ state: 'PROBE', reason: 'ttl', news: false }, 'verifying 2001:db8::4 on eth1 (02:00:00:00:00:04): its `ttl` ends'],
    [{ state: 'PROBE', reason: 'bridge', news: false },
      'verifying 2001:db8::4 on eth1 (02:00:00:00:00:04): the bridge has no entry for this MAC address any more'],
    [{ ...nowhere, state: 'INCOMPLETE', reason: 'local traffic' }, 'probing for 2001:db8::4: this machine has packets for it'],
    [{ ...nowhere, state: 'FAILED', reason: 'no answer' }, 'no host found for 2001:db8::4: no host answered a probe'],
    [{ ...nowhere, state: 'FAILED', reason: 'host-limit' },
      '2001:db8::4 is not served: its host has the maximum of addresses for one host (option `host-limit`)'],
    [{ ...nowhere, state: 'FAILED', reason: 'no answer', former: 1, news: true }, 'lost 2001:db8::4 on eth1: it no longer answers'],
    [{ ...nowhere, state: 'FAILED', reason: 'link gone', former: 1, news: true }, 'lost 2001:db8::4 on eth1: its link eth1 is gone'],
    [{ state: 'REACHABLE', reason: 'next hop', news: false, via: HOP },
      'verified 2001:db8::4 on eth1 via fe80::7 (02:00:00:00:00:04): its next hop answered'],
    [{ ...nowhere, state: 'FAILED', reason: 'next hop silent', via: HOP }, '2001:db8::4 is not served: its next hop fe80::7 does not answer'],
    [{ ...nowhere, state: 'GONE', reason: 'configuration', former: 1, news: true },
      '2001:db8::4 is no longer served: no rule covers it any more, or it is excluded'],
    [{ ...nowhere, state: 'GONE', reason: 'link gone', former: 1, news: true }, '2001:db8::4 is no longer served: its link eth1 is gone'],
    [{ ...nowhere, state: 'GONE', reason: 'ttl', news: true }, '2001:db8::4 is no longer served: it has not been seen for its `ttl`'],
    [{ ...nowhere, state: 'GONE', reason: 'deadtime' }, 'forgot 2001:db8::4: its `deadtime` is over'],
  ]
  for (const [changes, sentence] of cases) {
    const event: Neighbor = { kind: 'neighbor', target: TARGET, state: 'REACHABLE', ifindex: 1, mac: MAC, reason: 'proof',
      former: undefined, news: true, ...changes }
    t.equal(neighborSentence(event, names), sentence)
  }
})

t.test('next hops', async (t) => {
  const event = { kind: 'next-hop', ifindex: 1, address: HOP, mac: undefined, state: 'silent', news: true } as const
  t.equal(nextHopSentence({ ...event, state: 'alive', mac: MAC }, names),
    'found next hop fe80::7 on eth1 (02:00:00:00:00:04): addresses behind it are answered for')
  t.equal(nextHopSentence(event, names), 'lost next hop fe80::7 on eth1: it no longer answers, so addresses behind it are not answered for')
  t.equal(nextHopSentence({ ...event, news: false }, names),
    'no answer from next hop fe80::7 on eth1, so addresses behind it are not answered for')
})

t.test('other proxies', async (t) => {
  t.match(proxySentence({ kind: 'proxy', target: TARGET, ifindex: 1, mac: MAC }, names),
    /^another ND proxy is active on eth1: 02:00:00:00:00:04 claims addresses of other hosts, such as 2001:db8::4/)
})

t.test('conflicts, by what is known about the owner', async (t) => {
  const bases = { answered: /the owner of the address answered a probe, so the claim is ignored; two hosts may have the same address/, pinned: /the configuration names another owner \(`host`\), so the claim is ignored/,
    gateway: /it is the address of a default gateway on another link, so the claim is ignored/ }
  for (const basis of ['answered', 'pinned', 'gateway'] as const) {
    const sentence = conflictSentence({ kind: 'conflict', target: TARGET, ifindex: 1, mac: MAC, basis }, names)
    t.match(sentence, /^02:00:00:00:00:04 claims 2001:db8::4 on eth1, but /)
    t.match(sentence, bases[basis])
  }
  const absent = conflictSentence({ kind: 'conflict', target: TARGET, ifindex: 1, mac: MAC, basis: 'pinned', absent: 'tun0' }, names)
  t.equal(absent, '02:00:00:00:00:04 claims 2001:db8::4 on eth1, but the configuration pins it to tun0 (`host`), which is down or does not '
    + 'exist, so the claim is ignored; if the host moved, change its `host` line')
})

t.test('a link without addresses, and how to give it one', async (t) => {
  t.equal(bareSentence({ kind: 'bare', ifindex: 1, source: TARGET }, names), 'eth1 has no IPv6 address, so 2001:db8::4 is the source of messages on it: '
    + 'hosts may ignore them; give eth1 a link-local address (sysctl -w net/ipv6/conf/eth1/addr_gen_mode=0)')
})

t.test('limits, with the option that raises them', async (t) => {
  type LimitEvent = Extract<Event, { kind: 'limit' }>
  const sentence = (event: Omit<LimitEvent, 'kind'>): string => limitSentence({ kind: 'limit', ...event }, names)
  t.match(sentence({ limit: 'neighbors', size: 4096 }), /^all 4 096 entries .* raise `limit`$/)
  t.match(sentence({ limit: 'neighbors', size: 3072, ifindex: 1 }), /^eth1 has 3 072 learned addresses, its share .* raise `limit`$/)
  t.match(sentence({ limit: 'host', size: 64, mac: MAC }), /^02:00:00:00:00:04 has 64 addresses, .* raise `host-limit`/)
  t.match(sentence({ limit: 'targets', size: 8192 }), /^8 192 targets \(the maximum\) are being probed or have no owner/)
  t.match(sentence({ limit: 'groups', size: 8192 }), /^hosts reported 8 192 multicast groups, the maximum /)
  t.match(sentence({ limit: 'groups', size: 1024, ifindex: 1 }),
    /^hosts on eth1 reported 1 024 multicast groups, the maximum /)
  t.match(sentence({ limit: 'gone-links', size: 64 }), /^more than 64 links with hosts are gone/)
  t.match(sentence({ limit: 'gone-hosts', size: 8192 }), /^links that are gone had more than 8 192 hosts/)
  t.equal(scanSentence({ kind: 'limit', limit: 'probes', size: 500, mac: MAC, refused: 3 }, names, { count: 29_971, seconds: 8 }),
    '02:00:00:00:00:04 solicits for many addresses that no host has (a scan?): 29 971 of them were not probed in 8 s, '
    + 'because `probe-limit` is 500 per second; known hosts are not affected')
  t.match(sentence({ limit: 'probes', size: 500, ifindex: 1, refused: 1 }),
    /^solicitations come for many addresses that no host has .* some of them are not probed on eth1, because /)
})

t.test('numbers are grouped', async (t) => {
  t.match(overrunSentence({ kind: 'overrun', ifindex: 0, count: 1234567 }, names), /^eth0: 1 234 567 received packets were dropped/)
  t.equal(countersSentence({ answered: 12_345, probing: 0, checksum: 1 }), 'counters since the start: 12 345 answered, 1 checksum')
  t.equal(countersSentence({ answered: 0 }), 'counters since the start: no packets')
})

t.test('missing links', async (t) => {
  t.equal(missingLinkSentence('eth9', ['eth1', 'lo', 'eth0'], ['eth0', 'eth1', 'eth9']), 'eth9 does not exist; waiting for it (links here: eth0, eth1)')
  t.equal(missingLinkSentence('wlan9', ['eth0', 'wlan0'], ['eth0', 'wlan9']), 'wlan9 does not exist; waiting for it (did you mean `wlan0`? links here: eth0, wlan0)')
  t.equal(missingLinkSentence('eth9', ['lo'], ['eth9']), 'eth9 does not exist; waiting for it (links here: none)')
  const many = Array.from({ length: 300 }, (_, i) => `tap${i}`)
  t.match(missingLinkSentence('eth9', many, ['eth9']), /\(links here: (tap\d+, ){9}tap\d+ and 290 more\)$/)
})
