import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderHostUserData } from "../../src/contextualization/render.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hostContext } from "./context.ts";

interface CloudConfig {
  write_files: { path: string; permissions: string; content: string }[];
  runcmd: string[][];
}

function templates(files: Record<string, string>): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "partials"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function failure(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("renderHostUserData", () => {
  it("is the golden document", async () => {
    await expect(renderHostUserData(hostContext)).toMatchFileSnapshot("fixtures/server.yaml");
  });

  it("is byte-identical from run to run and from one order of roles to another", () => {
    const reversed = { ...hostContext, roles: hostContext.roles.toReversed() };
    expect(renderHostUserData(reversed)).toBe(renderHostUserData(hostContext));
  });

  it("carries the host's identity and its roles' settings", () => {
    const { write_files } = parse(renderHostUserData(hostContext), { version: "1.1" }) as CloudConfig;
    const content = Object.fromEntries(write_files.map((file) => [file.path, file.content]));
    const { roles: _roles, frontendPort: _port, ...identity } = hostContext;
    expect(JSON.parse(content["/etc/slipway/host.json"] ?? "")).toEqual({ schemaVersion: 1, ...identity });
    expect(JSON.parse(content["/etc/slipway/roles.d/frontend.json"] ?? "")).toEqual({ port: 5100 });
    expect(write_files.every(({ permissions }) => /^0[0-7]{3}$/.test(permissions))).toBe(true);
  });

  it("gives a host only the roles it has", () => {
    const text = renderHostUserData({ ...hostContext, roles: ["runtime"] });
    expect(text).toContain("roles.d/runtime.json");
    expect(text).not.toContain("roles.d/frontend.json");
  });

  it("keeps stage 0 within 4 kB", () => {
    const { write_files } = parse(renderHostUserData(hostContext)) as CloudConfig;
    const stage0 = write_files.find(({ path }) => path.endsWith("/stage0"));
    expect(Buffer.byteLength(stage0?.content ?? "x".repeat(5000))).toBeLessThanOrEqual(4096);
  });

  it("starts the bootstrap last and does not wait for it", () => {
    const { runcmd } = parse(renderHostUserData(hostContext)) as CloudConfig;
    expect(runcmd.at(-1)).toEqual(["systemctl", "start", "--no-block", "slipway-bootstrap.service"]);
  });

  it("passes values with quotes, colons and line breaks through to the host", () => {
    const host = `it's "x": # {{no}} \n\u2028$(reboot)`;
    const { write_files } = parse(renderHostUserData({ ...hostContext, host }), { version: "1.1" }) as CloudConfig;
    const text = write_files.find(({ path }) => path.endsWith("host.json"))?.content ?? "{}";
    expect(JSON.parse(text).host).toBe(host);
  });

  it("names the template and the variable that is missing", () => {
    const folder = templates({ "host.yaml.hbs": "a: {{yaml identity.wrong}}\n" });
    expect(failure(() => renderHostUserData({ ...hostContext, roles: [] }, folder))).toMatchObject({
      code: "E_TEMPLATE",
      message: "cloud-init/host.yaml.hbs: the variable identity.wrong is missing",
    });
  });

  it("refuses a role without a template, listing those that there are", () => {
    expect(failure(() => renderHostUserData({ ...hostContext, roles: ["oracle"] }))).toMatchObject({
      code: "E_TEMPLATE",
      hint: "Use one of: frontend, host, queue, runtime, worker.",
    });
  });

  it("refuses a template that renders to no YAML mapping, or contradicts another", () => {
    const roles = ["extra"];
    const list = templates({ "extra.yaml.hbs": "- a\n", "host.yaml.hbs": "a: 1\n" });
    expect(failure(() => renderHostUserData({ ...hostContext, roles }, list))).toMatchObject({ code: "E_TEMPLATE" });
    const clash = templates({ "extra.yaml.hbs": "a: {b: 1}\n", "host.yaml.hbs": "a: {b: 2}\n" });
    expect(failure(() => renderHostUserData({ ...hostContext, roles }, clash))).toMatchObject({
      code: "E_TEMPLATE",
      message: "cloud-init/host.yaml.hbs sets a.b to another value than a template before it",
    });
  });

  it("merges mappings and concatenates lists", () => {
    const folder = templates({
      "extra.yaml.hbs": "a: {b: 1}\nl: [1]\n",
      "host.yaml.hbs": "a: { c: {{yaml frontendPort}} }\nl: [2]\n",
    });
    const text = renderHostUserData({ ...hostContext, roles: ["extra"] }, folder);
    expect(parse(text)).toEqual({ a: { b: 1, c: 5100 }, l: [1, 2] });
  });
});
