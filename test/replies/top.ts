/** The busiest addresses in bounded memory, and the screen that shows them. */
import t from 'tap'
import { screen } from '../../src/cli/top.ts'
import { SIZE, TopAddresses } from '../../src/replies/top.ts'

t.test('frequent addresses stay on top during a scan', async (t) => {
  const top = new TopAddresses()
  for (let i = 0; i < 20_000; i++) {
    top.add(0x20010db8, 0, 1, i, 'probing')
    if (i % 10 === 0) top.add(0x20010db8, 0, 0, 2, 'answered')
    if (i % 20 === 0) top.add(0x20010db8, 0, 0, 3, 'failed')
  }
  const rows = top.take()
  t.same(rows.slice(0, 2).map(({ address, outcome }) => `${address} ${outcome}`), ['2001:db8::2 answered', '2001:db8::3 failed'])
  t.ok(rows[0].rate >= 1000 && rows[0].rate <= 1000 + 20_000 / SIZE, `${rows[0].rate}: half of the count, and a small error`)
  t.ok(rows.length <= 20)
})

t.test('the rate of a steady address, and the end of one', async (t) => {
  const top = new TopAddresses()
  let rate: number | undefined
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 30; i++) top.add(1, 2, 3, 4, 'answered')
    rate = top.take()[0].rate
  }
  t.ok(Math.abs(rate! - 30) < 0.1)
  for (let second = 0; second < 10; second++) top.take()
  t.same(top.take(), [])
})

t.test('the screen', async (t) => {
  const address = (n: number) => ({ address: `2001:db8::${n}`, rate: 10 - n, outcome: 'answered' })
  const data = { at: '2026-11-29T12:01:09.000Z', links: ['eth0', 'eth1'].map((iface) =>
    ({ interface: iface, heard: 41.2, answered: 40.9, dropped: 0.3, sent: 41, lost: 0 })), targets: [2, 1, 3].map(address), solicitors: [4].map(address) }
  const view = { isByAddress: false, isHeld: false, link: 0 }
  const text = screen(data, view)
  t.match(text, /^ndp6d {2}\d\d:\d\d:\d\d {3}q quit {3}s sort {3}l link {3}space hold\r\nLINK +HEARD\/S +ANSWERED\/S +SENT\/S +DROPPED\/S +LOST\/S\r\n/)
  t.match(text, /\r\neth0 +41\.2 +40\.9 +41\.0 +0\.3 +0\.0\r\n/)
  t.match(text, /\r\nTARGET +LAST OUTCOME +ASKED\/S\r\n2001:db8::2 +answered +8\.0\r\n2001:db8::1 +answered +9\.0\r\n/)
  t.match(screen(data, { ...view, isByAddress: true }), /TARGET.*\r\n2001:db8::1 .*\r\n2001:db8::2 /)
  t.notMatch(screen(data, { ...view, link: 2 }), /eth0/)
  t.match(screen(data, { ...view, isHeld: true }), /held/)
  const small = screen(data, view, 30, 8).split('\r\n')
  t.ok(small.length < 8 && small.every((line) => line.length <= 30))
})
