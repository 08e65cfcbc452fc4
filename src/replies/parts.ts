/** Long replies are sent in parts, because packets are processed between two of them. */

/**
 * Yields the elements in lists of those that `each` keeps. A list ends after `size` elements, also of those that are not kept, because
 * reading them takes time too. At least one list is yielded.
 * @param each makes what is sent of an element; undefined: nothing
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
