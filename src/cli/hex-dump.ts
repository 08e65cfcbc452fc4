/** Bytes in hex, for people. */

/** Number of bytes in a line. */
const LINE = 16

/**
 * Formats bytes in lines that begin with the offset of their first byte: `  16  00 20 3a[40]20 01`.
 * @param hex the bytes, two digits each
 * @param marked the offset of the byte to put in brackets; null for none
 * @param paint the function that colors the byte in brackets
 */
export function hexDump(hex: string, marked: number | null, paint = (text: string): string => text): string {
  const bytes = hex.match(/../g) ?? []
  let text = ''
  for (let at = 0; at < bytes.length; at += LINE) {
    const line = bytes.slice(at, at + LINE).map((byte, i) => {
      if (at + i === marked) return paint(`[${byte}]`)
      return at + i - 1 === marked && i > 0 ? byte : ` ${byte}`
    })
    text += `${String(at).padStart(4)} ${line.join('')}\n`
  }
  return text
}
