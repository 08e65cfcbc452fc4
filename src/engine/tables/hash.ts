/** Hashes an address, given as four words. @param seed a secret, so that senders cannot choose targets with equal hashes */
export function hashAddress(seed: number, w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w3 ^ seed, 0x9e3779b1)
  h = Math.imul((h ^ (h >>> 15)) + w2, 0x85ebca6b)
  h = Math.imul((h ^ (h >>> 13)) + w1, 0xc2b2ae35)
  h = Math.imul((h ^ (h >>> 16)) + w0, 0x27d4eb2f)
  return h ^ (h >>> 15)
}
