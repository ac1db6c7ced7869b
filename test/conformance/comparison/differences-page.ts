import type { Difference } from "./compare.ts";

/** A row of docs/reference/cloud-differences.md: what is known to differ. What is absent is any. */
export interface Row extends Partial<Record<keyof Difference, string[]>> {
  line: number;
  /** Whether what it lists differs in some runs only: those below the heading {@link atTimes}. */
  isChance: boolean;
}

const atTimes = "## At times";

const columns = {
  Call: "call",
  Request: "request",
  Field: "field",
  Here: "here",
  There: "there",
} as const;

/**
 * The rows of the page's tables that have a column for calls or requests. Of their cells what stands in backticks is compared, and a column
 * that a table has not got is any.
 * @throws Error for a row with an empty cell in one of these columns
 */
export function rowsOf(page: string): Row[] {
  let header: string[] = [];
  let heading = "";
  return page.split("\n").flatMap((text, index) => {
    if (text.startsWith("#")) heading = text;
    if (!text.startsWith("|")) {
      header = [];
      return [];
    }
    const cells = text
      .slice(1, text.lastIndexOf("|"))
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll("\\|", "|"));
    if (header.length === 0) header = cells;
    const isRow =
      header !== cells && !/^-+$/.test(cells[0] ?? "") && (header.includes("Call") || header.includes("Request"));
    return isRow ? [rowOf(header, cells, index + 1, heading === atTimes)] : [];
  });
}

function rowOf(header: string[], cells: string[], line: number, isChance: boolean): Row {
  const row: Row = { line, isChance };
  header.forEach((title, column) => {
    const key = columns[title as keyof typeof columns];
    if (key === undefined) return;
    row[key] = [...(cells[column] ?? "").matchAll(/(`+)(.+?)\1/g)].map(([, , value = ""]) => value);
    if (row[key].length === 0) throw new Error(`line ${line} says nothing of: ${title}`);
  });
  return row;
}

/** Whether the row speaks of this difference. */
export function covers(row: Row, difference: Difference): boolean {
  return (["call", "request", "field", "here", "there"] as const).every(
    (key) => row[key]?.includes(difference[key]) ?? true,
  );
}

/** The row that would list a difference. */
export function suggestion({ request, field, here, there }: Difference): string {
  const cell = (text: string) => `\`${text.replaceAll("|", "\\|")}\``;
  return `| ${[request, field, here, there].map(cell).join(" | ")} |  |`;
}
