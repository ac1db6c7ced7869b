import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { importModel } from "../../../src/serving/models/import.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { freePort } from "../../support/tcp.ts";
import { exampleModel, installModel, prepareHost, startServing, untilReady } from "../support.ts";
import { madeUpPlans } from "../training/plan-cost/plans-support.ts";
import { engineClient } from "./client.ts";

it("what a client configures and sets up in one of a frontend's processes holds in all of them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-aiengine-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { cert: ca } = makeCertificate(folder, "ca", { days: 400 });
  makeCertificate(folder, "server", { days: 300, san: "IP:127.0.0.1", issuer: "ca" });
  const certificate = makeCertificate(folder, "database", { issuer: "ca" });
  const port = await freePort();
  const path = (name: string) => join(folder, name);
  const files = { cert: path("server.pem"), key: path("server.key"), ca: path("ca.pem"), dir: path("aiengine") };
  const host = await prepareHost(folder, {
    frontend: { host: "127.0.0.1", port: await freePort(), processes: 2 },
    runtimes: [{ name: "default", replicas: 1 }],
    aiengine: { port, ...files },
  });
  await installModel(host.modelsDir, await importModel(exampleModel("production")));
  const url = `http://127.0.0.1:${host.config.frontend.port}`;
  for (const entry of ["runtime", "frontend"] as const) {
    const started = startServing(entry, host);
    onTestFinished(async () => void (await started.end()));
  }
  await untilReady({ ...host, url });

  // connections go to the processes in turn
  const { ask, send } = engineClient(port, { ca, certificate, keepAlive: false });
  const options = { max_epoch: 2, batch_size: 32, hidden_units: 4 };
  expect((await ask("/configure", { model_name: "m", labels: "R", ...options })).body).toBe("0");
  const plans = madeUpPlans(20, 1);
  for (let time = 0; time < 2; time++) {
    expect(JSON.parse((await send("/train", plans)).body)).toMatchObject({ re_startup: -1, converged: 0 });
  }
  for (const body of await Promise.all([1, 2, 3, 4].map(async () => (await ask("/setup", { model_name: "m" })).body))) {
    expect(body).toBe("0");
  }
  const asked = await Promise.all([1, 2, 3, 4].map(async () => (await send("/predict", plans)).body));
  expect(new Set(asked).size).toBe(1);
  expect(JSON.parse(asked[0] as string)).toMatchObject({ pred_rows: expect.any(String), pred_mem: null });
  expect((await ask("/track_process", { modelName: "m" })).body).toBe(join(folder, "aiengine", "log", "m_log.json"));
});
