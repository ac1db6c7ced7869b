import { expect, it } from "vitest";
import { passGate } from "../../src/guest/gate.ts";
import { serveFiles } from "./file-server.ts";

const prediction = { predictions: [{ probability: 0.25, class: 0 }] };
const probe = { path: "/v1/predict", body: { rows: [[1]] }, expected: [0.25], tolerance: 1e-5 };
const expected = { payload: "sha256:p", model: "sha256:m", probe, jobs: true, token: undefined };
const options = { timeoutMs: 5000, hopeless: async () => undefined };

it("hands in one job, whose result may come later than the answer", async () => {
  const asked: string[] = [];
  let looks = 0;
  const url = await serveFiles(new Map(), (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const answers: Record<string, () => unknown> = {
      "/v2/health/ready": () => ({ ready: true }),
      "/version": () => ({ payload: "sha256:p", model: { digest: "sha256:m" } }),
      "/v1/predict": () => prediction,
      "/v1/jobs": () => ({ id: "j", state: "waiting" }),
      "/v1/jobs/j": () =>
        ++looks > 1 ? { id: "j", state: "completed", result: prediction } : { id: "j", state: "active" },
    };
    response.end(JSON.stringify(answers[request.url ?? ""]?.()));
    return true;
  });
  expect(await passGate(url, expected, options)).toEqual([0.25]);
  expect(asked.filter((line) => line === "POST /v1/jobs")).toHaveLength(1);
});
