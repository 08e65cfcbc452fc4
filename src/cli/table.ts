/** Tables of text. */

export interface TableOptions {
  /** How many leading columns are aligned to the left. Default: 1. */
  readonly left?: number
  readonly indent?: string
  /** Columns on the right are left out until the table is at most this wide. The first column always stays, and no cell is cut. */
  readonly width?: number
  /** Colors a cell, which has its final width already. Row 0 is the head. */
  readonly paint?: (text: string, row: number, column: number) => string
}

/** Aligns rows in columns: the first `left` columns to the left, the others to the right. @returns lines */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { left = 1, indent = '', width = Number.POSITIVE_INFINITY, paint = (text) => text } = options
  const widths = rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, row[column].length), 0))
  const total = (): number => indent.length + widths.reduce((sum, each) => sum + each + 2, -2)
  while (widths.length > 1 && total() > width) widths.pop()
  const align = (cell: string, column: number): string => column < left ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
  return rows.map((row, at) => {
    const cells = row.slice(0, widths.length)
    // No spaces at the end of a line.
    const last = cells.findLastIndex((cell) => cell !== '')
    return `${indent}${cells.slice(0, last + 1).map((cell, column) =>
      paint(column === last && column < left ? cell : align(cell, column), at, column)).join('  ')}\n`
  }).join('')
}
