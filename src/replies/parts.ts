/** Long replies are sent in parts, so that packets can be processed between two parts. */

/**
 * Converts elements for sending, and yields at least one list of them, perhaps an empty list. A list ends after `size` elements were read,
 * even if some of them are not sent, because reading takes time too.
 * @param each the conversion of an element; if it returns undefined, the element is not sent
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
