import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { builtInServices } from "../../src/cloud/identity/catalog.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";

const page = readFileSync(new URL("../../docs/reference/embedded-cloud.md", import.meta.url), "utf8");

test("the page of the cloud has a row for each service of the catalogue", () => {
  const prefixes = builtInServices.map(({ url }) => url.internal.split("/")[1]);
  const rows = [...page.matchAll(/^\| [^|]+ \| `\/([^/`]+)\//gm)].map(([, prefix]) => prefix);
  expect(rows.toSorted()).toEqual(prefixes.toSorted());
});

test("the page of the cloud names each file and folder of its state", () => {
  const [, files = ""] = page.split("## Files");
  for (const path of Object.values(stateFiles("state"))) expect(files).toMatch(new RegExp(`\`${basename(path)}/?\``));
});
