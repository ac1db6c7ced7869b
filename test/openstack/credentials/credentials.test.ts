import { describe, expect, test } from "vitest";
import { findCredentials } from "../../../src/openstack/clouds.ts";
import { cloudsFileCandidates } from "../../../src/openstack/clouds-search.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { codesIn, documentedRows } from "./documented.ts";
import { choiceCases, differences, fileCases, type PlaceCase, pathsOnly } from "./place-cases.ts";
import { precedenceCases } from "./precedence-cases.ts";
import { type ExpectedCredentials, filledIn, prepared, type Scenario } from "./scenario.ts";
import { settingCases, waysToSet } from "./setting-cases.ts";

// docs/reference/credentials.md, row by row. test/conformance compares the same scenarios with openstacksdk.

const keystone = "http://keystone.test:5000";

async function expectFound(scenario: Scenario, expected: ExpectedCredentials | RegExp): Promise<void> {
  const folder = temporaryFolder();
  const found = findCredentials(prepared(scenario, folder, keystone));
  if (expected instanceof RegExp) {
    await expect(found).rejects.toMatchObject({
      code: "E_CREDENTIALS_MISSING",
      message: expect.stringMatching(expected),
    });
  } else {
    expect(await found).toMatchObject(filledIn(expected, folder, keystone));
  }
}

describe.each<[string, Record<string, PlaceCase | PlaceCase[]>, string[]]>([
  ["Which cloud", choiceCases, []],
  ["Files", fileCases, pathsOnly],
  ["Where Slipway differs from openstacksdk", differences, []],
])("%s", (heading, cases, others) => {
  const rows = documentedRows(heading).map(([first = ""]) => first);

  test("every row has a test, and every test a row", () => {
    expect([...Object.keys(cases), ...others].sort()).toEqual([...rows].sort());
  });

  test.each(Object.entries(cases).flatMap(([row, list]) => [list].flat().map((one) => [row, one] as const)))(
    "%s",
    (_, { expected, ...scenario }) => expectFound(scenario, expected),
  );
});

describe("Settings", () => {
  const rows = documentedRows("Settings").map(([first = ""]) => first);

  test("every row has a test, and every test a row", () => {
    expect(Object.keys(settingCases).sort()).toEqual([...rows].sort());
  });

  test("what wins is tested wherever the page says it", () => {
    const withWords = documentedRows("Settings").filter((cells) => cells.at(-1) !== "");
    expect(Object.keys(precedenceCases).sort()).toEqual(withWords.map(([first]) => first).sort());
  });

  test.each(Object.entries(precedenceCases).flatMap(([row, list]) => list.map((one) => [row, one] as const)))(
    "what wins: %s",
    (_, { expected, ...scenario }) => expectFound(scenario, expected),
  );

  const ways = rows.flatMap((row) => waysToSet(row).map((way) => [row, way.as, way] as const));
  test.each(ways)("%s by %s", (row, _, { as, ...scenario }) =>
    expectFound(scenario, settingCases[row]?.expected ?? {}),
  );
});

test("the folders are asked in the documented order", () => {
  const search = { env: { HOME: "/h", XDG_CONFIG_HOME: "/x", XDG_CONFIG_DIRS: "/s:/t" }, cwd: "/w" };
  const folders = new Set(cloudsFileCandidates("clouds", search).map((path) => path.replace(/\/clouds\.\w+$/, "")));
  expect([...folders]).toEqual([
    "/w",
    "/x/openstack",
    "/h/.config/openstack",
    "/s/openstack",
    "/t/openstack",
    "/etc/openstack",
  ]);
  const documented = documentedRows("Files")
    .flatMap(([first]) => codesIn(first))
    .filter((code) => code.endsWith("/openstack/"));
  expect(
    documented.map((code) =>
      code.replace("$XDG_CONFIG_HOME", "/x").replace("~", "/h").replace("$XDG_CONFIG_DIRS", "/s"),
    ),
  ).toEqual(["/x/openstack/", "/h/.config/openstack/", "/s/openstack/", "/etc/openstack/"]);
});
