import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import { asPage, golden, injectInto, model, prepareSurroundings, row, type Surroundings } from "./injected.ts";

let surroundings: Surroundings;
let context: FrontendContext;

beforeAll(async () => {
  surroundings = await prepareSurroundings();
});
afterAll(() => surroundings.remove());
beforeEach(() => {
  context = surroundings.contextWith({});
});

const inject = (method: "GET" | "POST", url: string, body?: unknown, headers?: Record<string, string>) =>
  injectInto(context, method, url, body, headers);

describe("pages of what the model is and says", () => {
  it("shows a page of the predictions, without computing them again for the same model", async () => {
    let asked = 0;
    const whole = surroundings.contextWith({});
    context = surroundings.contextWith({
      predict: (served, inputs) => {
        asked++;
        return whole.router.predict(served, inputs);
      },
    });
    const app = buildFrontend(context, pino({ enabled: false }));
    const get = (url: string) => app.inject({ method: "GET", url, headers: asPage });
    const ones = (await get("/predictions?class=1")).body;
    expect(ones.match(/<tr><th scope="row">/g)).toHaveLength(2);
    expect((await get("/predictions?page=1")).body.match(/<tr><th scope="row">/g)).toHaveLength(7);
    expect(asked).toBe(1);
    await app.inject({ method: "POST", url: "/predictions", headers: asPage });
    expect(asked).toBe(2);
    expect((await get("/predictions?page=2")).statusCode).toBe(404);
    expect((await get("/predictions?page=x")).statusCode).toBe(400);
    await app.close();
  });

  it("counts class by class", async () => {
    const { body } = await inject("POST", "/accuracy", undefined, asPage);
    const cells = [...body.matchAll(/<tr><th scope="row">(\d)<\/th><td>(\d)<\/td><td><a [^>]*>(\d)</g)];
    expect(cells.map((match) => match.slice(1).map(Number))).toEqual([
      [0, 3, 5],
      [1, 4, 2],
    ]);
  });

  it("has the model's card: its features' names and ranges, its files, its golden rows", async () => {
    const { body } = await inject("GET", "/model", undefined, asPage);
    expect(body).toMatch(/glucose \(mg\/dl\)<\/th><td>92<\/td><td>107<\/td><td>165</);
    for (const { digest } of model.card.source.files) expect(body).toContain(digest);
    expect(body).toContain(`${golden.rows.length} golden rows`);
    expect(body).toContain(golden.source);
  });
});

describe("the form for one row", () => {
  const form = { "content-type": "application/x-www-form-urlencoded", ...asPage };
  const body = (values: unknown[]) =>
    new URLSearchParams(values.map((value): [string, string] => ["value", `${value}`])).toString();
  const send = (values: unknown[]) => inject("POST", "/predict", body(values), form);

  it("has a labelled field for each feature, filled in with a known row where that is asked for", async () => {
    const empty = (await inject("GET", "/predict", undefined, asPage)).body;
    expect(empty.match(/<label for="value-\d">/g)).toHaveLength(8);
    expect(empty.match(/ value=""/g)).toHaveLength(8);
    const filled = (await inject("GET", "/predict?row=1", undefined, asPage)).body;
    expect([...filled.matchAll(/ value="([^"]*)"/g)].map(([, text]) => Number(text))).toEqual(row);
    for (const nonsense of ["0", "8", "x", "-1", "1&row=2"]) {
      expect((await inject("GET", `/predict?row=${nonsense}`, undefined, asPage)).body).toContain(' value=""');
    }
  });

  it("answers as the model does, and nobody keeps what was typed", async () => {
    const answer = await send(row);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(answer.body).toContain(`<p class="figure">Class ${(golden.outputs[0] ?? 1) > 0.5 ? 1 : 0}</p>`);
    expect(answer.body).toContain(`${((golden.outputs[0] ?? 0) * 100).toFixed(1)} %`);
  });

  it.each([
    ["too few values", row.slice(1), "The form sent 7 values; the model takes 8."],
    ["too many values", [...row, 1], "The form sent 9 values; the model takes 8."],
    ["nothing", [], "The form sent 0 values; the model takes 8."],
    ["text", ["many", ...row.slice(1)], "&quot;many&quot; is not a number."],
    ["markup", ["<b>", ...row.slice(1)], "&quot;&lt;b&gt;&quot; is not a number."],
  ])("says what is wrong: %s", async (_what, values, message) => {
    const answer = await send(values);
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toContain(message);
    expect(answer.body).not.toContain("<b>");
    expect(answer.body).not.toContain('class="figure"');
  });

  it("shows the form again, with its values, when the runtime is away", async () => {
    context = surroundings.contextWith({
      find: () => undefined,
      predict: () => Promise.reject(new RuntimeError("unavailable", "the model runtime is not there")),
    });
    const answer = await send(row);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(answer.body).toContain("the model runtime is not there");
    expect(answer.body).toContain(` value="${row[1]}"`);
  });

  it("takes no other content type", async () => {
    expect((await inject("POST", "/predict", "a", { ...asPage, "content-type": "text/csv" })).statusCode).toBe(415);
    expect((await inject("POST", "/predict", { rows: [row] }, asPage)).body).toContain("The form sent 0 values");
  });
});
