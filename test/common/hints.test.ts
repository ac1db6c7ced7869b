import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";

// Hints and pages send people to commands: each one must exist, and hints are all sentences.

const root = join(import.meta.dirname, "../..");
const verbs = readdirSync(join(root, "src/cli/verbs")).map((file) => basename(file, ".ts"));
const cloudActions = (await import("../../src/cli/verbs/cloud.ts")).verb.words.action;

function textsBelow(folder: string, ending: string): { file: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => ({ file: join(folder, file), text: readFileSync(join(root, folder, file), "utf8") }));
}

const sources = textsBelow("src", ".ts");
const pages = [
  ...textsBelow("docs", ".md"),
  { file: "README.md", text: readFileSync(join(root, "README.md"), "utf8") },
];

test("every command of ours that code or documentation names exists", () => {
  const named = [...sources, ...pages].flatMap(({ file, text }) =>
    [...text.matchAll(/(?:`|npx |^)slipway ([a-z]+)(?: ([a-z]+))?/gm)].map(([, verb = "", next]) => ({
      file,
      verb,
      next,
    })),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter(({ verb }) => !verbs.includes(verb))).toEqual([]);
  const actions = named.filter(({ verb, next }) => verb === "cloud" && next !== undefined);
  expect(actions.filter(({ next }) => !cloudActions?.includes(next ?? ""))).toEqual([]);
});

test("every hint is a sentence", () => {
  const hints = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/\bhint: (?:"((?:[^"\\]|\\.)+)"|`((?:[^`\\]|\\.)+)`)/g)].map(([, plain, template]) => ({
      file,
      hint: plain ?? template ?? "",
    })),
  );
  expect(hints.length).toBeGreaterThan(50);
  expect(hints.filter(({ hint }) => !/^[A-Z].*\.$/s.test(hint))).toEqual([]);
});
