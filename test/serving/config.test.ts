import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { longestDeadlineOf, modelLimitsOf, servingConfig } from "../../src/serving/config.ts";

const file = {
  payload: "sha256:payload",
  stack: "production",
  host: "server-g1",
  generation: "g1",
  frontend: { host: "127.0.0.1", port: 5100 },
  runtimeDir: "/run/slipway",
  modelsDir: "/var/lib/slipway/models",
};

/** Every key of a JSON Schema, `a.b.c`; lists and records add nothing to the path. */
function keysOf(schema: z.core.JSONSchema.BaseSchema, path: string[] = []): string[] {
  const { properties = {}, items, additionalProperties, anyOf = [], oneOf = [] } = schema;
  const own = Object.entries(properties).flatMap(([name, inner]) => {
    const at = [...path, name];
    return [at.join("."), ...keysOf(inner as z.core.JSONSchema.BaseSchema, at)];
  });
  const below = [items, additionalProperties, ...anyOf, ...oneOf].filter((inner) => typeof inner === "object");
  return [...own, ...below.flatMap((inner) => keysOf(inner as z.core.JSONSchema.BaseSchema, path))];
}

describe("serving.json", () => {
  it("is described key by key", async () => {
    const page = await readFile(join(import.meta.dirname, "../../docs/reference/serving-config.md"), "utf8");
    const keys = new Set(keysOf(z.toJSONSchema(servingConfig, { io: "input" })));
    const described = new Set([...page.matchAll(/^\| `([^`]+)`/gm)].map(([, key]) => key));
    expect([...described].sort()).toEqual([...keys].sort());
  });

  it("may bound each model by itself", () => {
    const config = servingConfig.parse({
      ...file,
      limits: { requestRows: 100, deadlineMs: 2000 },
      models: { heavy: { requestRows: 10, batchRows: 8, deadlineMs: 9000 } },
    });
    expect(modelLimitsOf(config, "heavy")).toMatchObject({ requestRows: 10, batchRows: 8, deadlineMs: 9000 });
    expect(modelLimitsOf(config, "other")).toMatchObject({ requestRows: 100, batchRows: 1024, deadlineMs: 2000 });
    expect(modelLimitsOf(config, "toString")).toBe(modelLimitsOf(config, "other"));
    expect(longestDeadlineOf(config)).toBe(9000);
  });
});
