import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { readRegistry } from "../../../src/serving/models/registry-file.ts";
import { importOnnx } from "../../../src/serving/training/network/onnx-import.ts";
import { servedOutputs } from "../../../src/serving/training/network/servable.ts";
import { planFeatures } from "../../../src/serving/training/plan-cost/features.ts";
import { trainReply } from "../../../src/serving/training/plan-cost/figures.ts";
import { parsePlans } from "../../../src/serving/training/plan-cost/plans.ts";
import { trainModel } from "../../../src/serving/training/train-model.ts";
import { type Certificate, makeCertificate } from "../../support/certificates.ts";
import { freePort } from "../../support/tcp.ts";
import {
  exampleModel,
  type Host,
  installModel,
  prepareHost,
  startServing,
  type TestProcess,
  untilReady,
} from "../support.ts";
import { madeUpPlans } from "../training/plan-cost/plans-support.ts";
import { type EngineClient, engineClient } from "./client.ts";

let folder: string;
let host: Host;
let port: number;
let ca: string;
const processes: TestProcess[] = [];
const clients: EngineClient[] = [];
const certificates = new Map<string, Certificate>();

/** A client with a connection of its own. */
const client = (name = "database") => {
  const made = engineClient(port, { ca, certificate: certificates.get(name) as Certificate });
  clients.push(made);
  return made;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-aiengine-"));
  ca = makeCertificate(folder, "ca", { days: 400 }).cert;
  makeCertificate(folder, "server", { days: 300, san: "IP:127.0.0.1", issuer: "ca" });
  for (const name of ["database", "database-2", "stranger"]) {
    certificates.set(name, makeCertificate(folder, name, { issuer: "ca" }));
  }
  port = await freePort();
  const path = (name: string) => join(folder, name);
  host = await prepareHost(folder, {
    runtimes: [{ name: "default", replicas: 1 }],
    aiengine: {
      port,
      cert: path("server.pem"),
      key: path("server.key"),
      ca: path("ca.pem"),
      clients: ["database", "database-2"],
      dir: path("aiengine"),
      trainingBytes: 200_000,
      predictBytes: 100_000,
      keepVersions: 2,
    },
  });
  await installModel(host.modelsDir, await importModel(exampleModel("production")));
  processes.push(startServing("runtime", host), startServing("frontend", host));
  await untilReady(host);
});

afterAll(async () => {
  for (const one of clients) one.close();
  await Promise.all(processes.map((one) => one.end()));
  await rm(folder, { recursive: true, force: true });
});

const plans = madeUpPlans(60, 1);
const asked = madeUpPlans(10, 2).replace(/(, \d+){4}$/gm, ", -1, -1, -1, -1");
const options = { max_epoch: 3, batch_size: 32, hidden_units: 8 };

/** The same training without a listener, and what its network answers in float64, without ONNX Runtime. */
async function trainedHere(labels: string) {
  const spec = { kind: "plan-cost", labels, maxEpoch: 3, batchSize: 32, hiddenUnits: 8 };
  const { package: model, metrics } = await trainModel({ spec, data: { text: plans } });
  const { values } = planFeatures(parsePlans(asked));
  const outputs = await servedOutputs(importOnnx(model.onnx), values);
  return { metrics, costs: Array.from(outputs, (output) => Math.max(0, Math.expm1(output))) };
}

const numbers = (text: unknown) => String(text).split(",").map(Number);

/** Whole costs, as far as single precision tells them. */
function expectCosts(found: number[], expected: number[]) {
  expect(found).toHaveLength(expected.length);
  found.forEach((cost, i) => {
    expect(Number.isInteger(cost)).toBe(true);
    expect(Math.abs(cost - (expected[i] as number))).toBeLessThanOrEqual(0.51 + 1e-4 * (expected[i] as number));
  });
}

const ok = (body: unknown) => ({ status: 200, body, reason: undefined });

describe("a model's life", () => {
  it("is configured, trained, tracked, set up and asked, and answers what the trained network does", async () => {
    const { ask, send, post } = client();
    expect(await post("/check", "")).toEqual(ok("0"));
    expect(await ask("/track_process", { modelName: "life" })).toMatchObject({
      body: "F",
      reason: "life has no log yet",
    });
    expect(await ask("/model_setup", { model_name: "life" })).toMatchObject({ status: 200, body: "N" });
    expect(await ask("/configure", { model_name: "life", labels: "TS", ...options })).toEqual(ok("0"));
    const trained = await send("/train", plans);
    const here = await trainedHere("ST");
    expect(JSON.parse(trained.body)).toEqual(trainReply(here.metrics));

    const { body: log } = await ask("/track_process", { modelName: "life" });
    expect(log).toBe(join(folder, "aiengine", "log", "life_log.json"));
    const text = await readFile(log, "utf8");
    const line = (epoch: number) =>
      expect.stringMatching(
        new RegExp(`^[-\\d]+ [:\\d]+ \\[TRAINING\\] \\[MODEL\\] life \\[Epoch\\] ${epoch}/3 \\[Loss\\] \\d+\\.\\d\\d$`),
      );
    expect(text.trimEnd().split("\n")).toEqual([line(1), line(3)]);
    expect((await ask("/track_process?content=1", { modelName: "life" })).body).toBe(text);
    expect((await ask("/track_process", { modelName: "life" }, { accept: "text/plain" })).body).toBe(text);

    expect(await ask("/setup", { model_name: "life" })).toEqual(ok("0"));
    for (let time = 0; time < 2; time++) {
      const answer = JSON.parse((await send("/predict", asked)).body) as Record<string, string | null>;
      expect(Object.keys(answer)).toEqual(["pred_startup", "pred_total", "pred_rows", "pred_mem"]);
      expectCosts(
        numbers(answer.pred_startup),
        here.costs.filter((_, i) => i % 2 === 0),
      );
      expectCosts(
        numbers(answer.pred_total),
        here.costs.filter((_, i) => i % 2 === 1),
      );
      expect([answer.pred_rows, answer.pred_mem]).toEqual([null, null]);
    }
    expect(await readdir(join(folder, "aiengine", "uploads"))).toEqual([]);
    expect((await readRegistry(host.modelsDir)).models.life).toMatchObject({ live: "1" });
  });

  it("goes on at the next training where it has the same form, else it begins anew; old versions go", async () => {
    const { ask, send } = client();
    const train = async (more: object) => {
      expect((await ask("/configure", { model_name: "again", ...options, ...more })).body).toBe("0");
      return JSON.parse((await send("/train", plans)).body) as Record<string, number>;
    };
    const first = await train({ labels: "R" });
    const on = await train({ labels: "R", learning_rate: 1e-9 });
    expect(on.re_row).toBeCloseTo(first.re_row as number, 2); // it did not begin anew
    await train({ labels: "RM", max_epoch: 1 });
    await train({ labels: "R", max_epoch: 1 });
    const { live, versions } = (await readRegistry(host.modelsDir)).models.again ?? {};
    expect([live, versions?.map(({ version }) => version)]).toEqual(["4", ["3", "4"]]);
  });

  it("is two callers' at once, with two models", async () => {
    const callers = [client("database"), client("database-2")];
    const names = ["left", "right"];
    const labels = ["S", "R"];
    const all = <T>(work: (one: EngineClient, i: number) => Promise<T>) => Promise.all(callers.map(work));
    const bodies = async (work: (one: EngineClient, i: number) => Promise<{ body: string }>) =>
      (await all(work)).map(({ body }) => body);
    expect(
      await bodies((one, i) => one.ask("/configure", { model_name: names[i], labels: labels[i], ...options })),
    ).toEqual(["0", "0"]);
    const trained = await bodies((one) => one.send("/train", plans));
    expect(trained.map((body) => Object.entries(JSON.parse(body)).filter(([, value]) => value === -1))).toEqual([
      [
        ["re_total", -1],
        ["re_row", -1],
        ["re_mem", -1],
      ],
      [
        ["re_startup", -1],
        ["re_total", -1],
        ["re_mem", -1],
      ],
    ]);
    expect(await bodies((one, i) => one.ask("/setup", { model_name: names[i] }))).toEqual(["0", "0"]);
    const [left, right] = [await trainedHere("S"), await trainedHere("R")];
    for (let time = 0; time < 5; time++) {
      const [a, b] = (await bodies((one) => one.send("/predict", asked))).map((body) => JSON.parse(body));
      expectCosts(numbers(a.pred_startup), left.costs);
      expectCosts(numbers(b.pred_rows), right.costs);
      expect([a.pred_rows, b.pred_startup]).toEqual([null, null]);
    }

    // one certificate, two connections: each keeps to its own; a new one goes to the last
    const [one, two] = [client(), client()];
    expect((await one.ask("/setup", { model_name: "right" })).body).toBe("0");
    expect((await two.ask("/setup", { model_name: "left" })).body).toBe("0");
    const answered = async (who: EngineClient) => JSON.parse((await who.send("/predict", asked)).body);
    expect(await answered(one)).toMatchObject({ pred_startup: null, pred_rows: expect.any(String) });
    expect(await answered(two)).toMatchObject({ pred_startup: expect.any(String), pred_rows: null });
    expect(await answered(client())).toMatchObject({ pred_rows: null });
    expect(await answered(client("database-2"))).toMatchObject({ pred_startup: null });
  });

  it("is twelve callers' at once, who set up and ask in turn, and none is told to wait", async () => {
    const twelve = Array.from({ length: 12 }, (_, i) => ({ one: client(), name: i % 2 === 0 ? "left" : "right" }));
    await Promise.all(
      twelve.map(async ({ one, name }) => {
        for (let time = 0; time < 5; time++) {
          expect((await one.ask("/model_setup", { model_name: name })).body).toBe("0");
          const answer = JSON.parse((await one.send("/predict", asked)).body) as Record<string, string | null>;
          expect([answer.pred_startup !== null, answer.pred_rows !== null]).toEqual([
            name === "left",
            name === "right",
          ]);
        }
      }),
    );
  });

  it("goes by the certificate where each request has a connection of its own, whose session is resumed", async () => {
    const certificate = certificates.get("database-2") as Certificate;
    const one = engineClient(port, { ca, certificate, keepAlive: false });
    clients.push(one);
    expect((await one.ask("/setup", { model_name: "left" })).body).toBe("0");
    for (let time = 0; time < 4; time++) {
      expect(JSON.parse((await one.send("/predict", asked)).body)).toMatchObject({ pred_rows: null });
    }
    expect((await one.ask("/setup", { model_name: "right" })).body).toBe("0");
  });

  it("has one training at a time, while everything else is answered", async () => {
    const slow = client();
    const other = client("database-2");
    const configuration = { model_name: "busy", labels: "S", max_epoch: 100_000, hidden_units: 64 };
    for (const one of [slow, other]) expect((await one.ask("/configure", configuration)).body).toBe("0");
    const gone = slow.send("/train", plans).then(
      ({ body }) => body,
      (error: Error) => error.message,
    );
    await waitFor(
      "the training's first line",
      async () => (await other.ask("/track_process", { modelName: "busy" })).body !== "F" || undefined,
      { timeoutMs: 30_000 },
    );
    expect(await other.send("/train", plans)).toMatchObject({ body: "R", reason: "busy is being trained" });
    const began = performance.now();
    expect((await other.ask("/setup", { model_name: "right" })).body).toBe("0");
    expect(JSON.parse((await other.send("/predict", asked)).body).pred_rows).not.toBeNull();
    expect(performance.now() - began).toBeLessThan(15_000);
    // a listener that stops tells the training's caller so, and leaves nothing running
    const frontend = processes.pop() as TestProcess;
    expect(await frontend.end()).toBe(0);
    expect(await gone).toBe("R");
    expect(await readdir(join(folder, "aiengine", "uploads"))).toEqual([]);
    processes.push(startServing("frontend", host));
    await untilReady(host);
    // what was configured and set up is still known
    expect(JSON.parse((await client("database-2").send("/predict", asked)).body).pred_rows).not.toBeNull();
  });
});

describe("the listener", () => {
  it("lets nobody in without a certificate of its authority, nor a name that is not listed", async () => {
    const post = (one: EngineClient) => one.post("/check", "").finally(() => one.close());
    await expect(post(engineClient(port, { ca }))).rejects.toThrow(/certificate required|ECONNRESET|socket hang up/);
    makeCertificate(folder, "foreign-ca");
    const foreign = makeCertificate(folder, "database", { issuer: "foreign-ca" });
    await expect(post(engineClient(port, { ca, certificate: foreign }))).rejects.toThrow(
      /unknown ca|decrypt error|bad certificate|ECONNRESET|socket hang up/,
    );
    expect(await post(client("stranger"))).toEqual({ status: 403, body: "F", reason: "stranger is not let in" });
  });

  it("takes new certificates as soon as they are there, and no broken ones", async () => {
    const issuerOf = async () => (await client().post("/check", "")).body;
    const old = await readFile(join(folder, "server.pem"));
    const key = await readFile(join(folder, "server.key"));
    // as the source makes them: Node's client refuses it, and so does the listener
    makeCertificate(folder, "server", { days: 300, issuer: "ca" });
    await waitFor(
      "the refusal",
      async () => /stay as they were/.test((processes.at(-1) as TestProcess).output()) || undefined,
      { timeoutMs: 10_000 },
    );
    expect(await issuerOf()).toBe("0");
    makeCertificate(folder, "server", { days: 300, san: "DNS:elsewhere.example", issuer: "ca" });
    const refused = () =>
      client()
        .post("/check", "")
        .then(
          () => undefined,
          (error: NodeJS.ErrnoException) => error.code,
        );
    expect(await waitFor("the new certificate", refused, { timeoutMs: 10_000 })).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
    await writeFile(join(folder, "server.pem"), old);
    await writeFile(join(folder, "server.key"), key);
    const back = async () => ((await issuerOf().catch(() => "")) === "0" ? true : undefined);
    expect(await waitFor("the old certificate", back, { timeoutMs: 10_000 })).toBe(true);
  });

  it("does not start with certificates that end before their authority, or without alternative names", async () => {
    makeCertificate(folder, "short-ca", { days: 365 });
    makeCertificate(folder, "long", { days: 3650, issuer: "short-ca" });
    const own = await mkdtemp(join(folder, "refused-"));
    const path = (name: string) => join(folder, name);
    const aiengine = {
      port: await freePort(),
      cert: path("long.pem"),
      key: path("long.key"),
      ca: path("short-ca.pem"),
      dir: own,
    };
    const refused = startServing("frontend", await prepareHost(own, { aiengine }));
    expect(await refused.ended).toBe(2);
    expect(refused.output()).toMatch(/no alternative name \(SAN\).*ends before it/);
  });
});

describe("whatever it is sent", () => {
  const routes = ["/check", "/configure", "/train", "/track_process", "/setup", "/model_setup", "/predict"];

  it.each([
    ["/configure", "{}", "M"],
    ["/configure", "", "F"],
    ["/configure", '{"model_name": "m", "labels": "S", "max_epoch": "abc"}', "F"],
    ["/configure", '{"model_name": "m", "labels": "S", "epochs": 5}', "I"],
    ["/configure", '{"model_name": "diabetes", "labels": "S"}', "F"],
    ["/setup", "{}", "M"],
    ["/setup", '{"model_name": "unheard-of"}', "N"],
    ["/setup", '{"model_name": "__proto__"}', "N"],
    ["/setup", '{"model_name": "diabetes"}', "i"],
    ["/track_process", '{"modelName": "../../serving"}', "F"],
    ["/track_process", "{}", "M"],
    ["/train", "no form", "M"],
    ["/predict", "no form", "M"],
  ])("%s %s is answered %s", async (path, body, reply) => {
    const answer = await client().post(path, body);
    expect([answer.status, answer.body]).toEqual([200, reply]);
    expect(answer.reason).toMatch(/./);
  });

  it("files that are none are refused, and nothing is kept of them", async () => {
    const one = client("database-2");
    expect((await one.ask("/configure", { model_name: "bad", labels: "S", ...options })).body).toBe("0");
    expect((await one.ask("/setup", { model_name: "right" })).body).toBe("0");
    for (const path of ["/train", "/predict"]) {
      expect((await one.send(path, plans, "other")).body).toBe("M");
      expect(await one.send(path, "1,2\n")).toMatchObject({
        status: 200,
        body: "F",
        reason: expect.stringContaining("line 1"),
      });
      const large = await one.send(path, plans.repeat(50)).catch((error: Error) => ({ body: error.message }));
      expect(large.body).toMatch(/^F$|EPIPE|ECONNRESET/);
    }
    expect((await one.send("/train", asked)).body).toBe("F"); // nothing was measured
    expect((await one.ask("/track_process?content=1", { modelName: "bad" })).body).toContain("[ERROR] [MODEL] bad");
    expect((await one.send("/predict", "1, 1, 0, 1 2 3, -1, -1, -1, -1\n")).reason).toContain("the model takes 8");
    expect(await readdir(join(folder, "aiengine", "uploads"))).toEqual([]);
    expect((await readRegistry(host.modelsDir)).models.bad).toBeUndefined();
  });

  it("of a form that ends early nothing is kept", async () => {
    const uploads = () => readdir(join(folder, "aiengine", "uploads"));
    const socket = connect({ host: "127.0.0.1", port, ca, ...certificates.get("database") });
    await once(socket, "secureConnect");
    const part = `--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n${plans.slice(0, 5000)}`;
    const head = "POST /train HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n";
    socket.write(`${head}Content-Length: 100000\r\n\r\n${part}`);
    const until = (count: number) => async () => ((await uploads()).length === count ? true : undefined);
    expect(await waitFor("the upload", until(1), { timeoutMs: 10_000 })).toBe(true);
    socket.destroy();
    expect(await waitFor("its end", until(0), { timeoutMs: 10_000 })).toBe(true);
  });

  it("is answered with less than 500 and few characters", async () => {
    const one = client();
    const types = fc.constantFrom(
      "application/json",
      "text/plain",
      "multipart/form-data",
      "multipart/form-data; boundary=b",
      "nonsense",
      "",
    );
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(
        "--b\r\n",
        '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n1,2\r\n--b--\r\n',
        "--b--\r\n",
        "[".repeat(50_000),
        "x".repeat(70_000),
      ),
    );
    const request = fc.tuple(fc.constantFrom(...routes, "/", "/check/../predict", "/nowhere"), bodies, types);
    await fc.assert(
      fc.asyncProperty(request, async ([path, body, type]) => {
        const answer = await one.post(path, body, type === "" ? {} : { "content-type": type });
        expect(answer.status).toBeLessThan(500);
        expect(answer.body.length).toBeLessThan(200);
        expect(answer.body).not.toBe("i");
      }),
      { numRuns: 150 },
    );
    expect(await client().post("/check", "")).toEqual(ok("0"));
  });
});
