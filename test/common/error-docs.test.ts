import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { type ErrorCode, ExitCode, errorCatalogue } from "../../src/common/error-catalogue.ts";

const docs = new URL("../../docs/", import.meta.url);
const codes = Object.keys(errorCatalogue) as ErrorCode[];
const pages = readdirSync(new URL("errors/", docs)).map((file) => basename(file, ".md"));
const exitCodes = readFileSync(new URL("reference/exit-codes.md", docs), "utf8");
/** The rows of the table: exit code, and the error codes that end with it. */
const rows = [...exitCodes.matchAll(/^\| (\d+) \| (\w+) \|(.*)$/gm)].map(([, exitCode, name, rest]) => ({
  exitCode: Number(exitCode),
  name,
  codes: [...(rest ?? "").matchAll(/\(\.\.\/errors\/(\w+)\.md\)/g)].map(([, code]) => code),
}));
const className = (exitCode: number) => Object.entries(ExitCode).find(([, value]) => value === exitCode)?.[0];

test("every code has a page, and every page a code", () => {
  expect(pages.sort()).toEqual([...codes].sort());
});

test.each(codes)("the page of %s says title, exit code, meaning, causes and what to do", (code) => {
  const page = readFileSync(new URL(`errors/${code}.md`, docs), "utf8");
  const { exitCode, title } = errorCatalogue[code];
  expect(page.split("\n")[0]).toBe(`# ${code}`);
  expect(page.split("\n")[2]).toBe(
    `**${title}.** Exit code ${exitCode}: [${className(exitCode)}](../reference/exit-codes.md).`,
  );
  const sections = page.split(/^## /m).slice(1);
  expect(sections.map((section) => section.split("\n")[0])).toEqual(["What it means", "Why it happens", "What to do"]);
  for (const section of sections) expect(section.split("\n").slice(1).join("").trim().length).toBeGreaterThan(20);
});

test("the reference of exit codes has each of them, with the error codes that lead to it", () => {
  expect(rows.map(({ name, exitCode }) => [name, exitCode])).toEqual(Object.entries(ExitCode));
  for (const row of rows) {
    const expected = codes.filter((code) => errorCatalogue[code].exitCode === row.exitCode);
    expect(row.codes, `exit code ${row.exitCode}`).toEqual(expected);
  }
});
