import type { Difference } from "./compare.ts";

/** A row of docs/reference/cloud-differences.md: what is known to differ, with `*` for anything. */
export interface Row {
  line: number;
  call: RegExp;
  request: RegExp;
  field: RegExp;
  here: RegExp;
  there: RegExp;
}

const columns = {
  Call: "call",
  Request: "request",
  Field: "field",
  Here: "here",
  There: "there",
} as const;

/**
 * The rows of the page's tables that have a column for calls or requests. In them what stands in backticks is compared, words of other cells
 * are for readers, and a column that a table has not got is any.
 */
export function rowsOf(page: string): Row[] {
  let header: string[] = [];
  return page.split("\n").flatMap((text, index) => {
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
    return isRow ? [rowOf(header, cells, index + 1)] : [];
  });
}

function rowOf(header: string[], cells: string[], line: number): Row {
  const any = /^/;
  const row: Row = { line, call: any, request: any, field: any, here: any, there: any };
  header.forEach((title, column) => {
    const key = columns[title as keyof typeof columns];
    const patterns = [...(cells[column] ?? "").matchAll(/(`+)(.+?)\1/g)].map(([, , pattern = ""]) => escaped(pattern));
    if (key !== undefined && patterns.length > 0) row[key] = new RegExp(`^(?:${patterns.join("|")})$`, "s");
  });
  return row;
}

function escaped(pattern: string): string {
  return pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
}

/** Whether the row speaks of this difference. */
export function covers(row: Row, difference: Difference): boolean {
  return (["call", "request", "field", "here", "there"] as const).every((key) => row[key].test(difference[key]));
}

/** The row that would list a difference. */
export function suggestion({ request, field, here, there }: Difference): string {
  const cell = (text: string) => `\`${text.replaceAll("|", "\\|")}\``;
  return `| ${[request, field, here, there].map(cell).join(" | ")} |  |`;
}
