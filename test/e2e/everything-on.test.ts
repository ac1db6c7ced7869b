import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../../src/common/wait.ts";
import { type EngineClient, engineClient } from "../serving/aiengine/client.ts";
import { madeUpPlans } from "../serving/training/plan-cost/plans-support.ts";
import { makeCertificate } from "../support/certificates.ts";
import { inside } from "./guests/inside.ts";
import { whyNoGuests } from "./guests/scratch-cloud.ts";
import { listOf, logIn, postJson } from "./openstack-http.ts";
import { Slipway } from "./slipway.ts";

const model = join(import.meta.dirname, "../../models/diabetes/production");
const skip = await whyNoGuests();

/** What the stack's file says beside what is shipped. */
const settings = `
  slipway:tokens: { boss: admin, ci: deploy, app: predict, watcher: read }
  slipway:aiengine:
    cidr: 172.24.64.0/18
    cert: certs/server.pem
    key: certs/server.key
    ca: certs/ca.pem
    clients: [database]
  slipway:serving:
    grpc: { port: 5101 }
    models:
      diabetes: { durable: true, deadlineMs: 45000 }
    # a runtime that was killed is back in seconds, on a busy machine in more: nobody gives up before
    frontend: { requestTimeoutMs: 60000, drainMs: 60000, clientTimeoutMs: 120000 }
    trainers:
      copy: { command: [/bin/sh, -ec, 'cp /opt/trainer/model.onnx "$SLIPWAY_TRAINING_OUTPUT"'] }
`;

/** Keras' form of the source system's network. */
const network = {
  class_name: "Sequential",
  config: {
    layers: [
      { class_name: "Dense", config: { name: "one", units: 12, activation: "relu", batch_input_shape: [null, 8] } },
      { class_name: "Dense", config: { name: "two", units: 8, activation: "relu" } },
      { class_name: "Dense", config: { name: "risk", units: 1, activation: "sigmoid" } },
    ],
  },
};

/** Rows like the example's, in which the second number alone decides the class. */
function madeUpPatients(count: number): string {
  const rows = Array.from({ length: count }, (_, row) => {
    const glucose = 60 + ((row * 37) % 140);
    return [
      row % 9,
      glucose,
      60 + (row % 30),
      row % 40,
      0,
      20 + (row % 20),
      0.4,
      20 + (row % 50),
      glucose > 130 ? 1 : 0,
    ];
  });
  return `${rows.map((row) => row.join(",")).join("\n")}\n`;
}

describe.skipIf(skip !== undefined)(
  `a stack with everything switched on by its configuration${skip === undefined ? "" : ` (${skip})`}`,
  () => {
    let slipway: Slipway;
    // biome-ignore lint/suspicious/noExplicitAny: the final object of `up`, looked into with matchers
    let up: any;
    let shipped: string;
    const stackFile = () => join(slipway.projectRoot, "stacks/Pulumi.production.yaml");
    const tokens: Record<string, string> = {};
    const as = (name: string) => ({ authorization: `Bearer ${tokens[name]}` });
    const guest = () => inside(join(slipway.home, "cloud"), up.hosts[0].id);
    const golden = async () => JSON.parse(await readFile(join(model, "golden.json"), "utf8"));
    /** Over a connection of its own: one that is kept may lead to a frontend that has gone meanwhile. */
    const predict = async (headers: object, body: object) => {
      const options = {
        method: "POST",
        agent: false as const,
        headers: { "content-type": "application/json", ...headers },
      };
      const asked = request(`${up.url}/v1/predict`, options).end(JSON.stringify(body));
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      const read = (await json(answer)) as { predictions: { probability: number }[] };
      return { status: answer.statusCode, predictions: read.predictions };
    };
    const unitSays = async (unit: string, property: string) =>
      (await guest().inGuest("systemctl", "show", "-p", property, "--value", unit)).trim();

    beforeAll(async () => {
      slipway = await Slipway.create();
      const certs = join(slipway.projectRoot, "certs");
      await mkdir(certs);
      makeCertificate(certs, "ca", { days: 9 });
      makeCertificate(certs, "server", { san: "DNS:aiengine.test", issuer: "ca" });
      for (const name of ["database", "stranger"]) makeCertificate(certs, name, { issuer: "ca" });
      shipped = await readFile(stackFile(), "utf8");
      await writeFile(stackFile(), shipped + settings.replace(/^\n/, ""));
      expect((await slipway.run(["cloud", "start"])).result).toMatchObject({ ok: true, hypervisor: "nspawn" });
      up = (await slipway.run(["up", "production"])).result;
      expect(up).toMatchObject({ ok: true, model: { name: "diabetes", version: "1" } });
      for (const name of ["boss", "ci", "app", "watcher"]) {
        const { stdout, exitCode } = await slipway.print(["token", "show", name]);
        expect(exitCode).toBe(0);
        tokens[name] = stdout.trim();
      }
    });
    afterAll(async () => {
      expect(await slipway?.remove()).toEqual([]);
    });

    it("answers those whose tokens it knows, as far as their roles go", async () => {
      const { rows, outputs } = await golden();
      expect((await predict({}, { rows })).status).toBe(401);
      expect((await predict(as("watcher"), { rows })).status).toBe(403);
      const answer = await predict(as("app"), { rows });
      expect(answer.status).toBe(200);
      expect(answer.predictions.map(({ probability }) => probability)).toEqual(
        outputs.map((p: number) => expect.closeTo(p, 5)),
      );
      expect((await fetch(`${up.url}/admin/queues`, { headers: as("ci") })).status).toBe(403);
      expect((await fetch(`${up.url}/admin/queues`, { headers: as("boss") })).status).toBe(200);
    });

    it("the verbs have a token of their own, and ask gRPC, too", async () => {
      const grpc = `${new URL(up.url).hostname}:5101`;
      expect(up).toMatchObject({ grpc });
      expect((await slipway.run(["token", "ls"])).result.tokens).toContainEqual({
        name: "ci",
        role: "deploy",
        made: true,
      });
      expect((await slipway.run(["token", "show", "nobody"])).result).toMatchObject({ error: { code: "E_USAGE" } });
      expect((await slipway.run(["check", "production"])).result).toMatchObject({ ok: true, grpc });
      expect((await slipway.run(["status", "production"])).result).toMatchObject({ health: "serving", grpc });
      expect((await slipway.run(["up", "production"])).result).toMatchObject({ ok: true, changed: false });
    });

    it("no token or key is in user-data, on the console, in what is published, in the host's logs or processes", async () => {
      const { headers, endpoint } = await logIn(slipway);
      const [server] = (await listOf(slipway, "compute", "servers/detail")) as object[];
      const manifest = await guest().inGuest("cat", "/var/lib/slipway/manifest");
      const places = {
        server: JSON.stringify(server),
        console: await (
          await postJson(
            `${endpoint("compute")}/servers/${up.hosts[0].id}/action`,
            { "os-getConsoleOutput": {} },
            headers,
          )
        ).text(),
        userData: await guest().inGuest("cat", "/var/lib/cloud/instance/user-data.txt"),
        manifest,
        journal: await guest().inGuest("journalctl", "--no-pager", "-o", "cat"),
        processes: await guest().inGuest("sh", "-c", "cat /proc/*/cmdline /proc/*/environ 2>/dev/null; true"),
      };
      const key = (await readFile(join(slipway.projectRoot, "certs/server.key"), "utf8")).split("\n")[1] ?? "";
      expect(key).toMatch(/^[A-Za-z0-9+/]{64}$/);
      const gate = (await guest().inGuest("cat", "/etc/slipway/gate.token")).trim();
      for (const [place, text] of Object.entries(places)) {
        for (const secret of [...Object.values(tokens), gate, key]) expect(text.includes(secret), place).toBe(false);
      }
      expect(manifest).toContain('"name":"ci","role":"deploy","sha256"');
      expect(await guest().inGuest("stat", "-c", "%a %U", "/etc/slipway/gate.token")).toBe("600 root\n");
    });

    it("gRPC answers with a token, and not without", async () => {
      const client = new Client(up.grpc, credentials.createInsecure());
      const ask = (metadata: Metadata) =>
        new Promise<unknown>((resolve, reject) => {
          const name = Buffer.concat([Buffer.from([10, 8]), Buffer.from("diabetes")]); // ModelReadyRequest.name
          const same = (bytes: Buffer) => bytes;
          const method = "/inference.GRPCInferenceService/ModelReady";
          client.makeUnaryRequest(method, same, same, name, metadata, (error, answer) =>
            error ? reject(error) : resolve([...(answer ?? [])]),
          );
        });
      const metadata = new Metadata();
      await expect(ask(metadata)).rejects.toMatchObject({ details: expect.stringContaining("needs a token") });
      metadata.set("authorization", as("app").authorization);
      expect(await ask(metadata)).toEqual([8, 1]); // ready: true
      client.close();
    });

    it("a durable model's questions outlast both of its runtimes", async () => {
      const { rows, outputs } = await golden();
      expect(await unitSays("slipway-runtime@default-0.service", "PrivateNetwork")).toBe("no");
      expect(await guest().inGuest("cat", "/etc/slipway/queue.conf")).toContain("appendfsync always");
      const asked = Array.from({ length: 40 }, async (_, at) => {
        await new Promise((resolve) => setTimeout(resolve, at * 20));
        return predict({ ...as("app"), "idempotency-key": `k${at}` }, { rows: [rows[at % rows.length]] });
      });
      await guest().inGuest("systemctl", "kill", "-s", "SIGKILL", "slipway-runtime@*.service");
      const answers = await Promise.all(asked);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      for (const [at, answer] of answers.entries()) {
        expect(answer.predictions[0]?.probability).toBeCloseTo(outputs[at % rows.length], 5);
      }
    });

    describe("a training through the queue", () => {
      const train = async (job: object) => {
        const request = { kind: "train", data: { text: madeUpPatients(300) }, ...job };
        expect((await postJson(`${up.url}/v1/jobs`, request, as("app"))).status).toBe(403);
        const taken = await postJson(`${up.url}/v1/jobs`, request, as("ci"));
        expect(taken.status).toBe(202);
        const { id } = (await taken.json()) as { id: string };
        return waitFor(
          "the training's end",
          async () => {
            const answer = await fetch(`${up.url}/v1/jobs/${id}`, { headers: as("ci") });
            const report = (await answer.json()) as { state: string };
            if (report.state === "failed") throw new Error(JSON.stringify(report));
            return report.state === "completed" ? report : undefined;
          },
          { timeoutMs: 120_000, intervalMs: 300 },
        );
      };
      const answersAs = async (name: string) => {
        const { rows } = await golden();
        const answer = await postJson(
          `${up.url}/v2/models/${name}/infer`,
          { inputs: [{ name: await inputOf(name), datatype: "FP32", shape: [1, 8], data: rows[0] }] },
          as("app"),
        );
        return { status: answer.status, outputs: ((await answer.json()) as { outputs?: unknown[] }).outputs };
      };
      const inputOf = async (name: string) => {
        const metadata = await fetch(`${up.url}/v2/models/${name}`, { headers: as("app") });
        return ((await metadata.json()) as { inputs?: { name: string }[] }).inputs?.[0]?.name ?? "none";
      };

      it("in process: trains the source system's network, validates it and puts it into service", async () => {
        const spec = { kind: "network", network, loss: "binary_crossentropy", epochs: 30, batchSize: 10 };
        const gate = { minAccuracy: 0.8 };
        const report = await train({ spec: { ...spec, standardize: true, gate }, publish: { name: "retrained" } });
        expect(report).toMatchObject({
          state: "completed",
          steps: [
            { step: "train", state: "completed" },
            { step: "validate", state: "completed" },
            { step: "publish", state: "completed" },
          ],
          result: { step: "publish", model: { name: "retrained", version: "1" }, verdict: { passed: true } },
        });
        expect(await answersAs("retrained")).toMatchObject({ status: 200, outputs: [{ shape: [1, 1] }] });
      });

      it("by a command that the configuration names", async () => {
        const packed = `cp "$(ls -d /var/lib/slipway/models/*/ | head -1)/model.onnx" /opt/trainer/`;
        await guest().inGuest("sh", "-ec", `mkdir -p /opt/trainer; ${packed}; chmod -R a+rX /opt/trainer`);
        const spec = { kind: "external", trainer: "copy", task: "binary" };
        expect(await train({ spec, publish: { name: "brought" } })).toMatchObject({
          state: "completed",
          result: { model: { name: "brought", version: "1" } },
        });
        expect(await answersAs("brought")).toMatchObject({ status: 200 });
      });

      it("and who may deploy takes what was published out of service and in again", async () => {
        const repository = (action: string, who: string) =>
          postJson(`${up.url}/v2/repository/models/brought/${action}`, {}, as(who));
        expect((await repository("unload", "app")).status).toBe(403);
        expect((await repository("unload", "ci")).status).toBe(200);
        expect((await answersAs("brought")).status).toBe(404);
        expect((await repository("load", "ci")).status).toBe(200);
        expect((await answersAs("brought")).status).toBe(200);
      });
    });

    describe("openGauss' listener", () => {
      const clients: EngineClient[] = [];
      const database = async (name: string | undefined) => {
        const pem = (file: string) => readFile(join(slipway.projectRoot, "certs", file), "utf8");
        const certificate = name && { cert: await pem(`${name}.pem`), key: await pem(`${name}.key`) };
        const host = new URL(up.url).hostname;
        const names = { host, servername: "aiengine.test", ca: await pem("ca.pem") };
        const client = engineClient(5000, { ...names, ...(certificate ? { certificate } : {}) });
        clients.push(client);
        return client;
      };
      afterAll(() => {
        for (const client of clients) client.close();
      });

      it("lets in whom its authority and its list know", async () => {
        expect(await (await database("database")).post("/check", "")).toMatchObject({ status: 200, body: "0" });
        expect(await (await database("stranger")).post("/check", "")).toMatchObject({ status: 403, body: "F" });
        await expect((await database(undefined)).post("/check", "")).rejects.toThrow(
          /certificate required|reset|hang up/,
        );
      });

      it("trains a model, sets it up and predicts with it", async () => {
        const client = await database("database");
        const options = { model_name: "plans", labels: "ST", max_epoch: 3, batch_size: 32, hidden_units: 8 };
        expect(await client.ask("/configure", options)).toMatchObject({ body: "0" });
        const trained = await client.send("/train", madeUpPlans(60, 1));
        expect(JSON.parse(trained.body)).toMatchObject({ converged: expect.any(Number) });
        expect(await client.ask("/setup", { model_name: "plans" })).toMatchObject({ body: "0" });
        const asked = madeUpPlans(5, 2).replace(/(, \d+){4}$/gm, ", -1, -1, -1, -1");
        const { pred_total } = JSON.parse((await client.send("/predict", asked)).body);
        expect(pred_total.split(",").length).toBe(asked.trim().split("\n").length);
      });
    });

    it("what is taken out of the configuration is switched off on the same host, and a renewed token counts", async () => {
      const renewed = await slipway.print(["token", "renew", "app"]);
      await writeFile(stackFile(), `${shipped}  slipway:tokens: { app: predict }\n`);
      const { result } = await slipway.run(["up", "production"]);
      expect(result).toMatchObject({
        ok: true,
        changed: true,
        hosts: [{ id: up.hosts[0].id }],
        model: { version: "1" },
      });
      expect(result).not.toHaveProperty("grpc");
      const { rows } = await golden();
      expect((await predict({ authorization: `Bearer ${renewed.stdout.trim()}` }, { rows })).status).toBe(200);
      for (const name of Object.keys(tokens)) expect((await predict(as(name), { rows })).status).toBe(401);
      expect(await unitSays("slipway-runtime@default-0.service", "PrivateNetwork")).toBe("yes");
      expect(await guest().inGuest("cat", "/etc/slipway/queue.conf")).toContain("appendfsync everysec");
    });
  },
);
