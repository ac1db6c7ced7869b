import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { renderHostUserData } from "../../src/contextualization/render.ts";
import { hostContext } from "../contextualization/context.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// P27: Handlebars escapes for HTML, and `=` in YAML or shell becomes `&#x3D;`. What goes in must come out.
const awkward = `a=b&c<d>"e"'f\`g\\h`;

/** The real templates, with one more that is made of awkward text in each way that templates can say it. */
function documentWith(stack: string): { write_files: { path: string; content: string }[] } {
  const folder = temporaryFolder();
  cpSync(join(import.meta.dirname, "../../cloud-init"), folder, { recursive: true });
  const worker = join(folder, "worker.yaml.hbs");
  const more = [
    "  - path: /yaml",
    "    content: {{yaml identity.stack}}",
    "  - path: /json",
    "    content: {{yaml (json identity.stack)}}",
    "  - path: /shell",
    "    content: |",
    "      printf %s {{sh identity.stack}}",
    "",
  ];
  writeFileSync(worker, `${readFileSync(worker, "utf8")}${more.join("\n")}`);
  const text = renderHostUserData({ ...hostContext, stack }, folder);
  expect(text).not.toMatch(/&(#x?[0-9A-Fa-f]+|amp|lt|gt|quot);/);
  return parse(text, { version: "1.1" });
}

it("nothing is escaped for HTML: base64's `=`, and every character that HTML, YAML or a shell cares for", () => {
  const { write_files } = documentWith(awkward);
  const content = (path: string) => write_files.find((file) => file.path === path)?.content ?? "";
  expect(content("/yaml")).toBe(awkward);
  expect(JSON.parse(content("/json"))).toBe(awkward);
  expect(content("/shell").trimEnd()).toBe(`printf %s 'a=b&c<d>"e"'\\''f\`g\\h'`);
  expect(hostContext.publicKey).toMatch(/=$/);
  expect(JSON.parse(content("/etc/slipway/host.json"))).toMatchObject({
    stack: awkward,
    publicKey: hostContext.publicKey,
  });
  expect(content("/usr/local/lib/slipway/stage0")).toContain(hostContext.publicKey);
});
