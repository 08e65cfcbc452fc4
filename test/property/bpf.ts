/** Interpreter of classic BPF by the rules of the kernel (Linux Documentation/networking/filter.rst), independent of the assembler. */
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Runs `program` on `packet`. @returns the value of RET: 0 drops, also after a load beyond the end */
export function run(program: Uint8Array, packet: Uint8Array): number {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const data = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  let a = 0
  for (let pc = 0; pc < program.length / 8; pc++) {
    const op = code.getUint16(8 * pc, LITTLE)
    const k = code.getUint32(8 * pc + 4, LITTLE)
    switch (op) {
      case 0x20: case 0x28: case 0x30: {  // ld, ldh, ldb [k]
        const size = op === 0x20 ? 4 : op === 0x28 ? 2 : 1
        if (k + size > packet.length) return 0
        a = size === 4 ? data.getUint32(k) : size === 2 ? data.getUint16(k) : data.getUint8(k)
        break
      }
      case 0x54: a = (a & k) >>> 0; break  // and #k
      case 0x15: pc += code.getUint8(8 * pc + (a === k ? 2 : 3)); break  // jeq #k, jt, jf
      case 0x35: pc += code.getUint8(8 * pc + (a >= k ? 2 : 3)); break  // jge #k, jt, jf
      case 0x06: return k  // ret #k
      default: throw new Error(`opcode 0x${op.toString(16)} at ${pc}`)
    }
  }
  throw new Error('no RET at the end')  // the kernel refuses such a program
}
