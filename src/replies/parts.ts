/** Long replies are sent in parts, because packets are processed between two of them. */

/**
 * Yields lists of what is to be sent of the elements, at least one list. A list ends after `size` elements were read, also those of which
 * nothing is sent, because reading takes time too.
 * @param each returns what is to be sent of an element; undefined: nothing
 */
export function * inParts<T, Sent>(elements: Iterable<T>, size: number, each: (element: T) => Sent | undefined): Generator<Sent[]> {
  let part: Sent[] = []
  let read = 0
  for (const element of elements) {
    const sent = each(element)
    if (sent !== undefined) part.push(sent)
    if (++read % size !== 0) continue
    yield part
    part = []
  }
  yield part
}
