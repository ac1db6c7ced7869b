import { readFileSync } from "node:fs";

const page = readFileSync(new URL("../../../docs/reference/credentials.md", import.meta.url), "utf8");

/** The rows of the table below a heading of docs/reference/credentials.md, cell by cell, without the head. */
export function documentedRows(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What a cell has in backticks. */
export function codesIn(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "");
}
