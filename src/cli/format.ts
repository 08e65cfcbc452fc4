/** Times, numbers and lines for people. */

/** Formats seconds by the two largest units: `3d 4h`. */
export function duration(seconds: number): string {
  const [days, hours, minutes] = [86_400, 3600, 60].map((unit) => Math.floor(seconds / unit))
  if (days > 0) return `${days}d ${hours % 24}h`
  if (hours > 0) return `${hours}h ${minutes % 60}min`
  return minutes > 0 ? `${minutes}min ${Math.floor(seconds % 60)}s` : `${Math.floor(seconds)}s`
}

/**
 * Formats the time since `time` by the largest unit: `47s`.
 * @param time a time as in RFC 3339
 * @param now the present time, milliseconds since 1970
 */
export function ago(time: string, now: number): string {
  return duration(Math.max(0, now - Date.parse(time)) / 1000).split(' ')[0]
}

/** Formats a time of RFC 3339 as local time: `2026-11-20 14:02:11`. */
export function localTime(time: string): string {
  const date = new Date(time)
  return new Date(date.getTime() - 60_000 * date.getTimezoneOffset()).toISOString().slice(0, 19).replace('T', ' ')
}

/** Joins as many items as fit, and at least one: `a, b, 3 more`. */
export function listed(items: readonly string[], width: number): string {
  let text = items.at(0) ?? ''
  for (let shown = 1; shown < items.length; shown++) {
    const next = `${text}, ${items[shown]}`
    const more = items.length - shown - 1
    if (next.length + (more > 0 ? `, ${more} more`.length : 0) > width) return `${text}, ${items.length - shown} more`
    text = next
  }
  return text
}

/** Breaks a sentence into lines at spaces; lines after the first one begin with `indent` spaces. A word longer than `width` stays whole. */
export function wrap(text: string, width: number, indent: number): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && line.length + 1 + word.length > width) lines.push(`${' '.repeat(indent)}${word}`)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}
