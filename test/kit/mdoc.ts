/** Reads the lists of a manual page in mdoc(7). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const DOCS = join(import.meta.dirname, '..', '..', '..', 'docs')

/** An `.It` of a list. */
export interface Entry {
  /** Titles of `.Sh` and `.Ss`; an empty `part` stands for none. */
  readonly section: string
  readonly part: string
  /** Arguments of `.It`, with their macros. */
  readonly head: string
  /** The entry whose text contains the list. */
  readonly outer: Entry | undefined
  /** Text as a reader sees it, without inner lists. */
  readonly text: string
}

export interface Page {
  readonly path: string
  readonly source: string
  readonly entries: readonly Entry[]
}

export function readPage(name: string): Page {
  const path = join(DOCS, name)
  const source = readFileSync(path, 'utf8')
  const entries: (Entry & { text: string })[] = []
  /** The last entry of each list that is open. */
  const open: (Entry & { text: string } | undefined)[] = []
  let section = '', part = ''
  for (const line of source.split('\n')) {
    const [, macro, rest = ''] = /^\.(\w+) ?(.*)$/.exec(line) ?? []
    if (macro === 'Sh') [section, part] = [rest, '']
    else if (macro === 'Ss') part = rest
    else if (macro === 'Bl') open.push(undefined)
    else if (macro === 'El') open.pop()
    else if (macro === 'It') {
      const entry = { section, part, head: rest, outer: open.at(-2), text: '' }
      open[open.length - 1] = entry
      entries.push(entry)
    } else {
      const entry = open.at(-1)
      if (entry !== undefined) entry.text = append(entry.text, plain(line))
    }
  }
  return { path, source, entries }
}

/** @returns the lines of one `.Sh`, without its title */
export function sectionOf({ source }: Page, title: string): string {
  const [, text = ''] = source.split(`\n.Sh ${title}\n`)
  return text.split('\n.Sh ')[0]
}

/** @returns the words that follow a macro, such as `-config` after `Fl`, up to the next macro */
export function words(text: string, macro: string): string[] {
  let current = ''
  return text.split(/\s+/).filter((word) => {
    if (/^\.?[A-Z][a-z]$/.test(word)) {
      current = word.replace('.', '')
      return false
    }
    return current === macro && /^[\w-]/.test(word)
  })
}

/** @returns a line without its macros */
function plain(line: string): string {
  return line.startsWith('.') ? line.slice(1).split(' ').filter((word) => !/^[A-Z][a-z]$/.test(word)).join(' ') : line
}

/** Joins two pieces of text. Punctuation of a macro line belongs to the word before it. */
function append(text: string, more: string): string {
  return `${text}${text === '' || more === '' ? '' : ' '}${more.replaceAll(/ (?=[.,:;)](?: |$))/g, '')}`
}
