/** Prints what `ndp6d doctor` found, in 80 columns. */
import type { Outcome } from '../doctor/check.ts'

const WIDTH = 80
/** Columns before the text of a finding. */
const INDENT = 9
const SPACE = ' '.repeat(INDENT)

export interface About {
  readonly isRunning: boolean | null
  readonly file: string
  readonly checked: number
  /** Exit status. */
  readonly status: number
}

const LABELS = { error: 'ERROR', warning: 'WARNING' } as const

/** Formats the findings, errors before warnings; then the checks that are unknown; then the totals. */
export function printOutcomes(outcomes: readonly Outcome[], { isRunning, file, checked, status }: About): string {
  const findings = outcomes.flatMap(({ code, severity, finding }) => finding === undefined ? [] : [{ code, severity, finding }])
    .sort((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'))
  const unknown = outcomes.flatMap(({ code, unknown }) => unknown === undefined ? [] : [{ code, ...unknown }])
  const lines = [
    ...findings.flatMap(({ code, severity, finding: { what, why, mend, isLine, keep } }) => [
      ...hanging(LABELS[severity], `${code}: ${what}.`),
      ...hanging('', `Why: ${why}.`),
      // Commands are never wrapped, so that they can be pasted.
      `${SPACE}${isLine === true ? `line: ${mend}          (in ${lineFile(code, file)})` : `mend: ${mend}`}`,
      ...keep === undefined ? [] : [`${SPACE}keep: ${keep}          (in ${file})`],
    ]),
    ...unknown.flatMap(({ code, reason, how }) => [...hanging('?', `${code}: ${reason}.`), `${SPACE}check: ${how}`]),
  ]
  const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const parts = [
    findings.length === 0 && 'nothing wrong', errors > 0 && count(errors, 'error'),
    findings.length > errors && count(findings.length - errors, 'warning'),
    unknown.length > 0 && `${unknown.length} unknown`,
  ].filter((part) => part !== false)
  const noDaemon = isRunning === true ? '' : isRunning === false ? ' The daemon does not run.' : ' The daemon gave no facts.'
  const sum = `${checked} checked, ${parts.join(', ')}.${noDaemon}`
  // Names of links may contain control characters.
  return `${[...lines, `${sum}${status === 0 ? '' : ` Exit status ${status}`}`].join('\n')}\n`.replace(/(?!\n)\p{Cc}/gu, '?')
}

/** @returns where the configuration line that mends a finding belongs */
export function lineFile(code: string, file: string): string { return code === 'capability' ? 'the [Service] section of the unit' : file }

/** @returns the text, wrapped and indented, with a label before its first line */
function hanging(label: string, text: string): string[] {
  const lines: string[] = []
  let line = label.padEnd(INDENT)
  for (const word of text.split(' ')) {
    const isFirst = line.trimEnd() === '' || line === label.padEnd(INDENT)
    if (!isFirst && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = SPACE + word
    } else line += isFirst ? word : ` ${word}`
  }
  return [...lines, line]
}
