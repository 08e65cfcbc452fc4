import t from 'tap'
import * as constants from '../../src/wire/constants.ts'

t.test('RFC 4861 10, RFC 4862 5.1', async (t) => {
  t.match(constants, {
    MAX_MULTICAST_SOLICIT: 3, MAX_UNICAST_SOLICIT: 3, MAX_ANYCAST_DELAY_TIME: 1000, MAX_NEIGHBOR_ADVERTISEMENT: 3,
    REACHABLE_TIME: 30_000, RETRANS_TIMER: 1000, DELAY_FIRST_PROBE_TIME: 5000, MIN_RANDOM_FACTOR: 0.5,
    MAX_RANDOM_FACTOR: 1.5, DUP_ADDR_DETECT_TRANSMITS: 1,
  })
})
