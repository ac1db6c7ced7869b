import { describe, expect, it } from "vitest";
import { missingHostPackages } from "../../src/cloud/host-packages.ts";
import { mirrorIn } from "../../src/cloud/images/mirror.ts";
import { containersScript, customizeScript, mmdebstrapArguments, recipeDigest } from "../../src/cloud/images/recipe.ts";
import { run } from "../../src/common/process.ts";

const mirror = { archive: "http://mirror.example/debian", security: "http://mirror.example/debian-security" };

describe("the guest image's recipe", () => {
  it("takes Debian 13 with its updates from the mirror that it is given", () => {
    expect(mmdebstrapArguments(mirror, "/out", "/keys.gpg").slice(-5)).toEqual([
      "trixie",
      "/out",
      "deb [signed-by=/keys.gpg] http://mirror.example/debian trixie main",
      "deb [signed-by=/keys.gpg] http://mirror.example/debian trixie-updates main",
      "deb [signed-by=/keys.gpg] http://mirror.example/debian-security trixie-security main",
    ]);
  });

  it("has a digest that neither mirror nor machine changes", () => {
    expect(recipeDigest()).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(recipeDigest()).toBe(recipeDigest());
    expect(recipeDigest("containers")).not.toBe(recipeDigest());
  });

  it("is made by shell that parses, as is what it puts in", async () => {
    const script = customizeScript();
    for (const each of [script, containersScript]) await run("sh", ["-n"], { input: each });
    const inner = [...script.matchAll(/<<'END'\n(#!\/bin\/sh\n[\s\S]*?)END\n/g)].map(([, text = ""]) => text);
    expect(inner).toHaveLength(1);
    for (const text of inner) await run("sh", ["-n"], { input: text });
  });

  it("leaves no identity in the image", () => {
    const script = customizeScript();
    for (const part of [
      "ssh_host_*",
      "machine-id",
      "stub-resolv.conf",
      "disable valkey-server",
      "renderers: [networkd]",
    ]) {
      expect(script).toContain(part);
    }
  });
});

describe("this machine's Debian mirror", () => {
  it("is found in what apt says of its sources", () => {
    const rows = [
      "http://vendor.example/apt nodistro main",
      "http://mirror.example/debian bookworm main",
      "http://mirror.example/debian bookworm-updates main",
      "http://mirror.example/debian-security bookworm-security main",
    ];
    expect(mirrorIn(rows.join("\n"))).toEqual(mirror);
  });

  it("is none on another distribution", () => {
    expect(mirrorIn("http://archive.example/ubuntu noble main\n")).toBeUndefined();
    expect(mirrorIn("")).toBeUndefined();
  });
});

describe("missing host packages", () => {
  it("are told with the reason for each", async () => {
    const missing = await missingHostPackages(undefined, { PATH: "/nonexistent" });
    for (const each of missing) expect(each.reason).not.toBe("");
    expect(missing.map(({ name }) => name)).toContain("mmdebstrap");
  });
});
