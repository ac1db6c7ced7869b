import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import type { FrontendSettings } from "../../../src/serving/frontend/config.ts";
import type { FrontendContext } from "../../../src/serving/frontend/context.ts";
import { RuntimeError } from "../../../src/serving/routing/question.ts";
import { golden, model, prepareSurroundings, row, type Surroundings } from "./injected.ts";

let surroundings: Surroundings;
beforeAll(async () => {
  surroundings = await prepareSurroundings();
});
afterAll(() => surroundings.remove());

const columns = model.card.rows?.input.columns as string[];
const csvOf = (rows: number[][]) => rows.map((one) => `${one.join(",")}\n`).join("");
const type = { "content-type": "text/csv" };

interface Changes {
  router?: Partial<FrontendContext["router"]>;
  settings?: Partial<FrontendSettings>;
}

async function withApp<T>(
  use: (app: ReturnType<typeof buildFrontend>) => Promise<T>,
  changes: Changes = {},
): Promise<T> {
  const context = surroundings.contextWith(changes.router ?? {});
  const config = { ...context.config, frontend: { ...context.config.frontend, ...changes.settings } };
  const app = buildFrontend({ ...context, config }, pino({ enabled: false }));
  try {
    return await use(app);
  } finally {
    await app.close();
  }
}

const post = (app: ReturnType<typeof buildFrontend>, payload: string | Buffer, headers: Record<string, string> = {}) =>
  app.inject({ method: "POST", url: "/v1/predict", payload, headers: { ...type, ...headers } });

/** What the model says of the golden rows, as the JSON route tells it, which other tests judge by Keras' own outputs. */
async function expected(app: ReturnType<typeof buildFrontend>): Promise<{ probability: number; class: number }[]> {
  const answers = [];
  for (const one of golden.rows) {
    const answer = await app.inject({ method: "POST", url: "/v1/predict", payload: { rows: [one] } });
    answers.push(answer.json().predictions[0]);
  }
  return answers;
}

describe("a table", () => {
  it("is answered as CSV or as lines of JSON, as JSON rows are", () =>
    withApp(async (app) => {
      const predictions = await expected(app);
      const answer = await post(app, csvOf(golden.rows));
      expect(answer.statusCode).toBe(200);
      expect(answer.headers["content-type"]).toContain("text/csv");
      expect(answer.headers["slipway-model"]).toBe(`diabetes/1@${surroundings.served.model.digest}`);
      const lines = answer.body.trimEnd().split("\n");
      expect(lines[0]).toBe("probability,class");
      expect(lines.slice(1)).toEqual(predictions.map((one) => `${one.probability},${one.class}`));
      const json = await post(app, csvOf(golden.rows), { accept: "application/x-ndjson" });
      expect(
        json.body
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ).toEqual(predictions);
      expect((await post(app, csvOf(golden.rows), { accept: "image/png" })).statusCode).toBe(406);
    }));

  it("says the same however it is written: header, order of columns, quotes, line ends, blanks", () =>
    withApp(async (app) => {
      const plain = (await post(app, csvOf(golden.rows))).body;
      const styles = fc.record({
        order: fc.shuffledSubarray(
          columns.map((_, at) => at),
          { minLength: columns.length },
        ),
        extra: fc.boolean(),
        quotes: fc.boolean(),
        end: fc.constantFrom("\n", "\r\n"),
        blank: fc.boolean(),
        bom: fc.boolean(),
        pad: fc.constantFrom("", " "),
      });
      await fc.assert(
        fc.asyncProperty(styles, async ({ order, extra, quotes, end, blank, bom, pad }) => {
          const cell = (text: unknown) => (quotes ? `"${text}"` : `${pad}${text}`);
          const line = (cells: unknown[]) => cells.map(cell).join(",") + end + (blank ? end : "");
          const named = line([...order.map((at) => columns[at]), ...(extra ? ["label"] : [])]);
          const body = golden.rows.map((one) => line([...order.map((at) => one[at]), ...(extra ? ["x"] : [])]));
          expect((await post(app, (bom ? "\ufeff" : "") + named + body.join(""))).body).toBe(plain);
        }),
        { numRuns: 30 },
      );
    }));

  it.each([
    ["nothing", "", /^there are no rows$/],
    ["a header alone", `${columns.join(",")}\n`, /^there are no rows$/],
    ["a short line", csvOf([row, row.slice(1)]), /^line 2 has 7 columns, the model takes 8$/],
    ["a long line", csvOf([row, [...row, 1]]), /^line 2 has 9 columns/],
    ["text", `${csvOf([row, row])}1,2,x,4,5,6,7,8\n`, /^line 3, column 3: "x" is not a float32 number for/],
    ["an empty cell", csvOf([row]).replace(/^[^,]*/, ""), /^line 1, column 1: "" is not/],
    ["a hexadecimal", `0x10${csvOf([row]).slice(1)}`, /^line 1, column 1: "0x10/],
    ["a number beyond float32", "1e39,2,3,4,5,6,7,8\n", /^line 1, column 1: "1e39"/],
    ["NaN among numbers", `${csvOf([row])}NaN,2,3,4,5,6,7,8\n`, /^line 2, column 1: "NaN"/],
    ["an open quote", `"1,2,3,4,5,6,7,8\n`, /^line \d: a quote is not closed/],
    ["a header of other names", `a,b,c\n${csvOf([row])}`, /^the header has 3 columns, the model takes 8$/],
    ["a header that lacks one", `${columns.slice(1).join(",")}\n`, /^the header has no column/],
    ["no end of a line", "1".repeat(1_200_000), /^line 1: it is too long/],
    ["bytes that are no text", Buffer.from([0xff, 0xfe, 0x00, 0x31]), /./],
  ])("is refused for %s, by its line", (_what, body, message) =>
    withApp(async (app) => {
      const answer = await post(app, body);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error).toMatchObject({ code: "CSV_INVALID", message: expect.stringMatching(message) });
    }),
  );

  it("is refused above the limit of bytes", () =>
    withApp(async (app) => expect((await post(app, csvOf(golden.rows))).statusCode).toBe(413), {
      settings: { csvBytes: 100 },
    }));

  it("waits while the host is busy, and is refused where the runtime fails", () =>
    withApp(
      async (app) => {
        expect((await post(app, csvOf([row]))).statusCode).toBe(200);
        expect((await post(app, csvOf([row]))).statusCode).toBe(500);
      },
      {
        router: {
          predict: (() => {
            const { predict } = surroundings.contextWith({}).router;
            const outcomes = ["overloaded", "overloaded", "answer", "failed"];
            return (served, inputs) => {
              const outcome = outcomes.shift();
              if (outcome === "answer") return predict(served, inputs);
              return Promise.reject(new RuntimeError(outcome as "failed", "as it is"));
            };
          })(),
        },
      },
    ));
});

describe("a form's file", () => {
  const form = (name: string, text: string) =>
    `--b\r\ncontent-disposition: form-data; name="note"\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name="${name}"${name === "file" ? '; filename="rows.csv"' : ""}\r\ncontent-type: text/csv\r\n\r\n${text}\r\n--b--\r\n`;
  const headers = { "content-type": "multipart/form-data; boundary=b" };

  it("is a table", () =>
    withApp(async (app) => {
      const answer = await post(app, form("file", csvOf(golden.rows)), headers);
      expect(answer.body).toBe((await post(app, csvOf(golden.rows))).body);
      expect((await post(app, form("file", "1,2\n"), headers)).json().error.message).toBe(
        "line 1 has 2 columns, the model takes 8",
      );
      const none = await post(app, form("other", csvOf(golden.rows)), headers);
      expect(none.statusCode).toBe(400);
      expect(none.json().error.message).toBe("the form has no file");
    }));

  it.each([
    [
      "a form without a boundary",
      { "content-type": "multipart/form-data" },
      form("file", "1\n"),
      /the form cannot be read/,
    ],
    ["a form that ends before its file", headers, form("file", "1\n").slice(0, 60), /the form/],
    ["no form at all", headers, "1,2,3\n", /the form/],
  ])("is not to be had of %s", (_what, sent, text, message) =>
    withApp(async (app) => {
      const answer = await post(app, text, sent);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error).toMatchObject({ code: "CSV_INVALID", message: expect.stringMatching(message) });
    }),
  );

  it("that ends before its form does is not answered as a whole one", () =>
    withApp(async (app) => {
      const whole = form("file", csvOf(golden.rows));
      const answer = await post(app, whole.slice(0, whole.length - 30), headers);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.code).toBe("REQUEST_ABORTED");
    }));
});

describe("a long table over a connection", () => {
  interface Exchange {
    send: (text: string) => Promise<void>;
    end: () => void;
    answer: Promise<IncomingMessage>;
    abort: () => void;
  }

  async function exchange(app: ReturnType<typeof buildFrontend>, more: Record<string, string> = {}): Promise<Exchange> {
    await app.listen({ host: "127.0.0.1", port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const request = httpRequest({
      port,
      host: "127.0.0.1",
      method: "POST",
      path: "/v1/predict",
      headers: { ...type, ...more },
    });
    request.on("error", () => undefined);
    return {
      send: async (text) => {
        if (!request.write(text)) await once(request, "drain");
      },
      end: () => request.end(),
      answer: new Promise((resolve) => request.once("response", resolve)),
      abort: () => request.destroy(),
    };
  }

  it("is answered while it is sent, and whole", () =>
    withApp(async (app) => {
      const { send, end, answer } = await exchange(app);
      const block = csvOf(golden.rows).repeat(200);
      const sent = golden.rows.length * 200;
      await send(block.repeat(3));
      const { statusCode } = await answer; // before the end
      const reading = linesOf(await answer);
      await send(block);
      end();
      const { lines, complete } = await reading;
      expect(statusCode).toBe(200);
      expect(complete).toBe(true);
      expect(lines).toHaveLength(1 + 4 * sent);
      expect(new Set(lines.slice(1))).toEqual(new Set(lines.slice(1, 1 + golden.rows.length)));
    }));

  it("is not read on while its answer is not read", () => {
    let computed = 0;
    return withApp(
      async (app) => {
        const { send, answer, abort } = await exchange(app, { accept: "application/x-ndjson" });
        const block = "1,2,3,4,5,6,7,8\n".repeat(10_000);
        let sending = true;
        void (async () => {
          while (sending && computed < 1_500_000) await send(block);
        })();
        await answer; // and read nothing of it
        let before = -1;
        await waitFor(
          "the computation to pause",
          async () => {
            const same = computed === before;
            before = computed;
            return same ? true : undefined;
          },
          { timeoutMs: 30_000, intervalMs: 400, maxIntervalMs: 400 },
        );
        expect(computed).toBeLessThan(1_000_000);
        sending = false;
        abort();
      },
      { router: { predict: counting((rows) => (computed += rows)) } },
    );
  });

  it("ends early with a line that says why, and a cut connection", () =>
    withApp(async (app) => {
      const { send, end, answer } = await exchange(app);
      await send(csvOf(golden.rows).repeat(600));
      const reading = linesOf(await answer);
      await send("1,2,x,4,5,6,7,8\n");
      end();
      const { lines, complete } = await reading;
      expect(complete).toBe(false);
      const wrong = golden.rows.length * 600 + 1;
      expect(lines.at(-1)).toMatch(
        new RegExp(`^# error CSV_INVALID \\(request [^)]+\\): line ${wrong}, column 3: "x"`),
      );
      // whole lines, and none for a row of the batch that was not whole
      for (const line of lines.slice(1, -1)) expect(line).toMatch(/^[0-9.e-]+,[01]$/);
    }));

  it("is not computed on when its caller goes away", () => {
    let computed = 0;
    return withApp(
      async (app) => {
        const { send, answer, abort } = await exchange(app);
        await send(csvOf(golden.rows).repeat(600));
        await answer;
        abort();
        await sleep(200);
        const before = computed;
        await sleep(300);
        expect(computed).toBe(before);
        expect((await fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/version`)).status).toBe(
          200,
        );
      },
      { router: { predict: counting((rows) => (computed += rows)) } },
    );
  });

  it("is refused when no row comes for too long", () =>
    withApp(
      async (app) => {
        const { send, answer } = await exchange(app);
        await send("1,2,3");
        const refused = await answer;
        expect(refused.statusCode).toBe(408);
        refused.resume();
      },
      { settings: { requestTimeoutMs: 200 } },
    ));
});

/** A router that does not compute, so that the test's own process is not what is slow. */
function counting(count: (rows: number) => void): FrontendContext["router"]["predict"] {
  return async (served, [input]) => {
    const rows = input?.shape[0] ?? 0;
    count(rows);
    const outputs = [{ datatype: "FP32" as const, shape: [rows, 1], bytes: new Uint8Array(rows * 4).fill(0x3e) }];
    return { outputs, served, timing: { batchRows: rows, queueMicros: 0, computeMicros: 0 } };
  };
}

async function linesOf(answer: IncomingMessage): Promise<{ lines: string[]; complete: boolean }> {
  let text = "";
  answer.on("data", (chunk) => {
    text += chunk;
  });
  answer.on("error", () => undefined);
  await new Promise((resolve) => answer.once("close", resolve));
  return { lines: text.trimEnd().split("\n"), complete: answer.complete };
}
