import t from 'tap'
import fc from 'fast-check'
import { Address } from '../../src/address.ts'
import { MessageWriter } from '../../src/wire/netlink-encode.ts'
import { Attributes, decodeCompletion, messages } from '../../src/wire/netlink.ts'
import { decodeNeighbor, decodeStation, RTM_DELNEIGH, RTM_NEWNEIGH } from '../../src/wire/rtneighbor.ts'
import { decodeAddress, decodeLink, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK } from '../../src/wire/rtnetlink.ts'
import { decodePrefix, decodeUserOption, RTM_NEWNDUSEROPT, RTM_NEWPREFIX } from '../../src/wire/rtprefix.ts'
import { changeRoute, decodeDefaultRoutes, decodeOnLink, decodeRoute, ROUTE_MARK, RTM_DELROUTE, RTM_NEWROUTE } from '../../src/wire/rtroute.ts'

const TYPES = [2, 3, RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWNEIGH, RTM_DELNEIGH,
  RTM_NEWPREFIX, RTM_NEWNDUSEROPT]

/** Calls all decoders on all messages. */
function decodeAll(bytes: Uint8Array, start = 0, end = bytes.length): void {
  for (const message of messages(bytes, start, end)) {
    if (message.start > message.end || message.end > bytes.length) throw new Error('out of range')
    decodeLink(message)
    decodeAddress(message)
    decodeRoute(message)
    decodeOnLink(message)
    decodeDefaultRoutes(message)
    decodePrefix(message)
    decodeUserOption(message)
    decodeNeighbor(message)
    decodeStation(message)
    decodeCompletion(message)
    for (const attribute of new Attributes(bytes, message.start, message.end)) {
      if (attribute.start > attribute.end || attribute.end > message.end) throw new Error('out of range')
    }
  }
}

t.test('decoders never throw, and read only the buffer', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 250 }), fc.integer({ min: 0, max: 250 }),
    (bytes, start, end) => decodeAll(bytes, start, end)))
})

t.test('the same with a valid message header', async () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // A fixed header, then attributes with valid and invalid lengths.
    fc.tuple(fc.constantFrom(7, 10), fc.constantFrom(8, 12, 16), fc.array(fc.tuple(
      fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 20 }), fc.uint8Array({ maxLength: 24 })))).map((parts) => {
      const [family, size, attributes] = parts
      const words = attributes.flatMap(([length, type, value]) => [new Uint8Array(Uint16Array.of(length, type).buffer), value])
      return Buffer.concat([Uint8Array.of(size < 16 ? family : 0), new Uint8Array(size - 1), ...words])
    }))
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(...TYPES), fc.nat(0xffff), payload), { maxLength: 4 }), (list) => {
    const w = new MessageWriter()
    for (const [type, flags, bytes] of list) w.message(type, flags, 1, bytes)
    decodeAll(w.bytes)
  }), { numRuns: 500 })
})

t.test('decode(encode(route)) = route', async () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  const address = fc.tuple(word, word, word, word).map(([a, b, c, d]) => new Address(a, b, c, d))
  fc.assert(fc.property(address, fc.option(address), fc.integer({ min: 1, max: 2 ** 31 - 1 }), (target, gateway, ifindex) => {
    const w = new MessageWriter()
    changeRoute(w, 1, 'add', gateway === null ? { target, ifindex } : { target, ifindex, via: gateway })
    const route = decodeRoute([...messages(w.bytes)][0])
    return route !== undefined && route.destination!.equals(target) && route.ifindex === ifindex && route.protocol === ROUTE_MARK.protocol
      && route.metric === ROUTE_MARK.metric && (gateway === null ? route.gateway === undefined : route.gateway!.equals(gateway))
  }))
})
