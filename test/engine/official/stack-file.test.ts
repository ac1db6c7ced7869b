import { expect, test } from "vitest";
import { parse } from "yaml";
import type { Project } from "../../../src/engine/embedded/project/project.ts";
import { withOverrides } from "../../../src/engine/official/stack-file.ts";

const project: Pick<Project, "name" | "config"> = {
  name: "shop",
  config: { ports: { type: "array" }, "shop:limits": { type: "object" }, size: { type: "integer" } },
};

test("without overrides the copy is the file, to the letter", () => {
  const text = "# ours\nconfig:\n  shop:a:   1\n";
  expect(withOverrides(project, text, {})).toBe(text);
});

test("an override replaces a key however the file spells it, and leaves the rest, the salt and the seals", () => {
  const text = `
encryptionsalt: v1:abc
config:
  size: 3
  openstack:config:cloud: home
  shop:token:
    secure: v1:xyz
`;
  const changed = withOverrides(project, text, { "shop:size": "4", "openstack:cloud": "away" });
  expect(parse(changed)).toEqual({
    encryptionsalt: "v1:abc",
    config: { "shop:token": { secure: "v1:xyz" }, "shop:size": "4", "openstack:cloud": "away" },
  });
});

test("a list or a map that the project declares is written as one", () => {
  const changed = withOverrides(project, "", { "shop:ports": "[80, 443]", "shop:limits": '{"cpu": 2}' });
  expect(parse(changed)).toEqual({ config: { "shop:ports": [80, 443], "shop:limits": { cpu: 2 } } });
});
