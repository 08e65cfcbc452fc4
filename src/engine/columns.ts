/** Columns of numbers, which lie outside of the JavaScript heap and are never looked at by its garbage collector. */

const FIRST_SIZE = 16

/** A copy of `column` with room for a quarter more, and for `size` rows at least. @param width numbers of a row */
export function grown<T extends Int32Array | Float64Array>(column: T, size: number, width = 1): T {
  const rows = Math.max(size, FIRST_SIZE, Math.ceil(1.25 * column.length / width))
  const copy = new (column.constructor as new (length: number) => T)(rows * width)
  copy.set(column)
  return copy
}
