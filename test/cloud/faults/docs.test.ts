import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Fault, keyOf } from "../../../src/cloud/faults/fault.ts";
import { ledger } from "../../../src/cloud/faults/ledger.ts";

const page = readFileSync(new URL("../../../docs/reference/faults.md", import.meta.url), "utf8");

function rowOf(fault: Fault): string {
  const places = [fault.requests && "request", fault.boot && "boot", fault.plan && "plan"].filter(Boolean).join(", ");
  const often = fault.times === undefined ? "until disarmed" : fault.times === 1 ? "once" : `${fault.times} times`;
  return `| \`${keyOf(fault)}\` | ${places} | ${often} | ${fault.does} |`;
}

test("the page of faults has a row for each, as it is declared", () => {
  expect(page.split("\n").filter((line) => line.startsWith("| `"))).toEqual(ledger.map(rowOf));
});

test("names are unique, and each fault strikes somewhere", () => {
  expect(new Set(ledger.map(({ name }) => name)).size).toBe(ledger.length);
  for (const { row, requests, boot } of ledger) {
    expect(row).toMatch(/^P\d\d$/);
    expect(requests ?? boot).toBeDefined();
  }
});

test("each fault is armed by its name in a test of what it does", () => {
  const texts = ["requests", "guests"].map((name) =>
    readFileSync(join(import.meta.dirname, `${name}.test.ts`), "utf8"),
  );
  const alone = (row: string) => ledger.filter((fault) => fault.row === row).length === 1;
  const armed = (fault: Fault) =>
    [keyOf(fault), fault.name, ...(alone(fault.row) ? [fault.row] : [])].some((name) =>
      texts.some((text) => text.includes(`"${name}"`)),
    );
  expect(ledger.filter((fault) => !armed(fault)).map(keyOf)).toEqual([]);
});
