import { Validator } from "@seriousme/openapi-schema-validator";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import { asPage, prepareSurroundings, type Surroundings } from "./injected.ts";

let surroundings: Surroundings;
let app: ReturnType<typeof buildFrontend>;

beforeAll(async () => {
  surroundings = await prepareSurroundings();
  app = buildFrontend(surroundings.contextWith({}), pino({ enabled: false }));
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await surroundings.remove();
});

interface Operation {
  summary: string;
  tags: string[];
  operationId: string;
  security: Record<string, string[]>[];
  requestBody?: object;
  responses: Record<string, { description: string }>;
}

const document = async () =>
  (await app.inject({ url: "/openapi.json" })).json() as { paths: Record<string, Record<string, Operation>> };

describe("the interface's description", () => {
  it("is OpenAPI 3.1, as an independent validator sees it", async () => {
    const validator = new Validator();
    const result = await validator.validate(await document());
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe("3.1");
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  it("has every route, with what a caller must know of it", async () => {
    const { paths } = await document();
    expect(app.routeTable.length).toBeGreaterThan(20);
    const ids = new Set<string>();
    for (const { method, path, role } of app.routeTable) {
      const where = `${method} ${path}`;
      const operation = paths[path.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
      expect(operation?.summary, `${where} says what it does`).toMatch(/^[A-Z][^\n]{8,90}[^\n.]$/);
      expect(operation?.tags, `${where} belongs somewhere`).toHaveLength(1);
      const statuses = Object.keys(operation?.responses ?? {}).map(Number);
      expect(
        statuses.some((status) => status < 400),
        `${where} says what it answers`,
      ).toBe(true);
      expect(
        statuses.some((status) => status >= 500),
        `${where} says how it fails`,
      ).toBe(true);
      expect(operation?.security, `${where} says who may`).toEqual(
        role === "public" ? [] : [{ bearer: [role] }, { session: [role] }],
      );
      ids.add(operation?.operationId ?? "");
    }
    expect(ids.size).toBe(app.routeTable.length);
  });

  it("says what the predictions' bodies are", async () => {
    const { paths } = await document();
    expect(paths["/v1/predict"]?.post?.requestBody).toMatchObject({
      required: true,
      content: { "application/json": { schema: { required: ["rows"], properties: { rows: { type: "array" } } } } },
    });
    expect(paths["/v1/predict"]?.post?.responses).toMatchObject({
      200: { content: { "application/json": { schema: { $ref: "#/components/schemas/Predictions" } } } },
      401: { headers: { "WWW-Authenticate": {} } },
      503: { headers: { "Retry-After": {} } },
    });
  });

  it("is a page, too, that loads nothing", async () => {
    const { body, headers, statusCode } = await app.inject({ url: "/docs", headers: asPage });
    expect(statusCode).toBe(200);
    expect(headers["content-type"]).toContain("text/html");
    for (const { path } of app.routeTable) expect(body).toContain(path.replace(/:(\w+)/g, "{$1}"));
    expect(body).not.toMatch(/<script|(src|href)="(https?:)?\/\//);
  });
});
