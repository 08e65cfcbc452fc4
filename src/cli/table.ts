/** Aligns rows in columns: the first `left` columns to the left, the others to the right. @returns lines */
export function table(rows: readonly (readonly string[])[], { left = 1, indent = '' } = {}): string {
  const widths = rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, row[column].length), 0))
  const align = (cell: string, column: number): string => column < left ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
  return rows.map((row) => `${indent}${row.map(align).join('  ')}`.trimEnd()).map((line) => `${line}\n`).join('')
}
