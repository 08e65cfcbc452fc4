/** `ndp6d monitor --top`: a screen with the busiest targets and solicitors, drawn once a second. */
import { clearScreenDown, cursorTo, emitKeypressEvents } from 'node:readline'
import { request } from '../control/client.ts'
import type { Top, TopAddress } from '../replies/top.ts'
import { explainFailure } from './connection.ts'
import { table } from './table.ts'

/** Control sequences of xterm that enter and leave the alternate screen. The cursor is hidden on that screen. */
const ENTER = '\x1b[?1049h\x1b[?25l', LEAVE = '\x1b[?25h\x1b[?1049l'

interface View {
  /** Sort by address instead of by rate. */
  isByAddress: boolean
  isHeld: boolean
  /** The number of the only link to show, from 1; 0 shows all links. */
  link: number
}

/** Runs until `q` or Ctrl-C. Restores the terminal at every end, also after an error or a signal. @param path the path of the socket */
export async function showTop(path: string): Promise<void> {
  const { stdin, stdout } = process
  const view: View = { isByAddress: false, isHeld: false, link: 0 }
  let last: Top | undefined
  let isOpen = false
  const leave = (): void => {
    if (isOpen) stdout.write(LEAVE)
    isOpen = false
    if (stdin.isTTY) stdin.setRawMode(false)
  }
  const draw = (): void => {
    if (last === undefined) return
    cursorTo(stdout, 0, 0)
    clearScreenDown(stdout)
    // A terminal of unknown size has 0 columns.
    stdout.write(screen(last, view, stdout.columns || 80, stdout.rows || 24))
  }
  process.on('exit', leave)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit())
  try {
    for await (const part of request(path, 'top', {}, 0)) {
      if (!isOpen) open()
      if (!view.isHeld) last = part as unknown as Top
      draw()
    }
  } catch (error) {
    leave()
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path)
    stdin.pause()
  }

  function open(): void {
    isOpen = true
    stdout.write(ENTER)
    stdout.on('resize', draw)
    if (!stdin.isTTY) return
    emitKeypressEvents(stdin)
    stdin.setRawMode(true)
    stdin.on('keypress', (_, { name, ctrl }: { name?: string; ctrl?: boolean }) => {
      if (name === 'q' || (ctrl && name === 'c')) process.exit()
      if (name === 's') view.isByAddress = !view.isByAddress
      if (name === 'l') view.link = (view.link + 1) % ((last?.links.length ?? 0) + 1)
      if (name === 'space') view.isHeld = !view.isHeld
      draw()
    })
  }
}

/** @returns the text of one screen: no line is longer than `columns`, and there are at most `rows` */
export function screen({ at, links, targets, solicitors }: Top, { isByAddress, isHeld, link }: View, columns = 80, rows = 24): string {
  const shown = link === 0 ? links : links.slice(link - 1, link)
  const sorted = (list: readonly TopAddress[]): readonly TopAddress[] =>
    isByAddress ? [...list].sort((a, b) => a.address < b.address ? -1 : 1) : list
  const room = Math.max(1, Math.floor((rows - shown.length - 6) / 2))
  const rate = (value: number): string => value.toFixed(1)
  const addresses = (name: string, list: readonly TopAddress[]): string => table([[name, 'LAST OUTCOME', 'ASKED/S'],
    ...sorted(list).slice(0, room).map(({ address, outcome, rate: value }) => [address, outcome, rate(value)])], { left: 2 })
  const text = [
    `ndp6d  ${new Date(at).toTimeString().slice(0, 8)}${isHeld ? '  held' : ''}   q quit   s sort   l link   space hold\n`,
    table([['LINK', 'HEARD/S', 'ANSWERED/S', 'SENT/S', 'DROPPED/S', 'LOST/S'], ...shown.map((each) =>
      [each.interface, ...[each.heard, each.answered, each.sent, each.dropped, each.lost].map(rate)])]),
    addresses('TARGET', targets), addresses('SOLICITOR', solicitors),
  ].join('')
  // Interface names may contain control characters.
  return text.replace(/(?!\n)\p{Cc}/gu, '?').split('\n').slice(0, Math.max(1, rows - 1)).map((line) => line.slice(0, columns)).join('\r\n')
}
