import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { cacheHome } from "../../src/common/home.ts";
import { renderHostUserData } from "../../src/contextualization/render.ts";
import { checkCloudConfigSchema, violations } from "../../src/contextualization/schema.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hostContext } from "./context.ts";

describe("checkCloudConfigSchema", () => {
  it("passes the rendered document by cloud-init's own schema", async ({ skip }) => {
    const verdict = await checkCloudConfigSchema(renderHostUserData(hostContext), cacheHome());
    if ("skipped" in verdict) return skip(verdict.skipped);
    expect(verdict.errors).toEqual([]);
    const broken = await checkCloudConfigSchema("#cloud-config\npackages: 5\n", cacheHome());
    expect(broken).toEqual({ errors: ["/packages must be array"] });
  });

  it("says why it could not check, and leaves nothing half-made", async () => {
    const cache = temporaryFolder();
    const path = process.env.PATH;
    process.env.PATH = "/nonexistent";
    try {
      const verdict = await checkCloudConfigSchema("a: 1", cache);
      expect(verdict).toEqual({ skipped: expect.stringContaining("apt-get") });
    } finally {
      process.env.PATH = path;
    }
    expect(readdirSync(cache)).toEqual([]);
  });
});

describe("violations", () => {
  const schema = {
    $schema: "http://json-schema.org/draft-04/schema#",
    type: "object",
    properties: { runcmd: { type: "array" } },
    additionalProperties: false,
  };

  it("are none for a valid document", () => {
    expect(violations(schema, { runcmd: [] })).toEqual([]);
  });

  it("name what is wrong and where", () => {
    expect(violations(schema, { runcmd: 1, rumcnd: 2 })).toEqual([
      "the document must NOT have additional properties (rumcnd)",
      "/runcmd must be array",
    ]);
  });
});
