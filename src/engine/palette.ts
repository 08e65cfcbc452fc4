/**
 * The few different values that very many rows have: a row holds the number of its value, in 4 bytes. What no row has any more
 * is forgotten.
 */
export class Palette<V> {
  readonly #numbers = new Map<V, number>()
  /** By number, and how many rows have it. */
  readonly #values: (V | undefined)[] = []
  readonly #uses: number[] = []
  readonly #free: number[] = []

  /** Values that some row has. */
  get size(): number { return this.#numbers.size }

  /** One more row has the value. @returns its number */
  take(value: V): number {
    let number = this.#numbers.get(value)
    if (number === undefined) {
      number = this.#free.pop() ?? this.#values.length
      this.#numbers.set(value, number)
      this.#values[number] = value
      this.#uses[number] = 0
    }
    this.#uses[number]++
    return number
  }

  /** Of a number that some row has. */
  value(number: number): V { return this.#values[number]! }

  /** A row has it no more. */
  drop(number: number): void {
    if (--this.#uses[number] > 0) return
    this.#numbers.delete(this.#values[number]!)
    this.#values[number] = undefined
    this.#free.push(number)
  }
}
