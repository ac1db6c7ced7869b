/** Where a feature's values lie in the rows that travel with a model. */
export interface ColumnRange {
  min: number;
  median: number;
  max: number;
}

/** The range of each column; none without rows. */
export function columnRanges(rows: number[][]): ColumnRange[] {
  return (rows[0] ?? []).map((_, column) => {
    const values = rows.map((row) => row[column] as number).sort((a, b) => a - b);
    const last = values.length - 1;
    return {
      min: values[0] as number,
      median: ((values[Math.floor(last / 2)] as number) + (values[Math.ceil(last / 2)] as number)) / 2,
      max: values[last] as number,
    };
  });
}

/** The columns, from 0, of which a row's value lies outside of what the rows have. */
export function outsideColumns(row: number[], ranges: ColumnRange[]): number[] {
  return [...row.keys()].filter((column) => {
    const range = ranges[column];
    const value = row[column] as number;
    return range !== undefined && (value < range.min || value > range.max);
  });
}
