import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cudaSurroundings, missingForCuda, providerLoadError } from "../../../src/serving/models/cuda.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import { exampleModel, installModel, prepareHost, startServing } from "../support.ts";

const all = (path: string) => !path.includes("missing");
const host = { platform: "linux x64", visibleDevices: undefined, libraries: "/lib/ort", exists: all };
const reachable = missingForCuda(cudaSurroundings()).length === 0;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-cuda-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("what a host lacks for CUDA", () => {
  it.each([
    ["nothing", {}, []],
    ["nothing, with some devices", { visibleDevices: "1,2" }, []],
    ["the platform", { platform: "linux arm64" }, ["no CUDA for linux arm64"]],
    ["all devices", { visibleDevices: "" }, ["hides all devices"]],
    ["all devices, in the usual way", { visibleDevices: "-1" }, ["CUDA_VISIBLE_DEVICES=-1 hides all devices"]],
    [
      "the package",
      { libraries: undefined },
      ["libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so"],
    ],
    [
      "the provider",
      { libraries: "/missing" },
      ["libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so"],
    ],
    ["the driver", { exists: (path: string) => !path.startsWith("/proc") }, ["no NVIDIA driver is loaded"]],
    ["its devices", { exists: (path: string) => !path.startsWith("/dev") }, ["/dev/nvidiactl"]],
    ["all", { exists: () => false, visibleDevices: " " }, ["hides all", "no NVIDIA driver", "libonnxruntime"]],
  ])("is told: %s", (_what, changes, reasons) => {
    expect(missingForCuda({ ...host, ...changes })).toEqual(reasons.map((reason) => expect.stringContaining(reason)));
  });

  it("is told of a library that does not load by the system's own words", () => {
    // any file that is no library
    const libraries = { ...host, libraries: folder, exists: () => true };
    expect(providerLoadError(libraries)).toContain("libonnxruntime_providers_cuda.so");
    expect(providerLoadError({ ...host, libraries: "/missing" })).toBeUndefined();
  });
});

describe.skipIf(reachable)("a host without CUDA", () => {
  it("computes on the processor and says why, unless CUDA is insisted on", async () => {
    const { onnx } = await importModel(exampleModel("production"));
    const model = await openOnnxModel(onnx, { device: "auto" });
    expect(model.provider).toBe("cpu");
    expect(model.note).toMatch(/driver|providers_cuda|no CUDA/);
    await model.close();
    await expect(openOnnxModel(onnx, { device: "cuda" })).rejects.toMatchObject({ code: "E_DEVICE_MISSING" });
  });

  it("does not start a runtime that insists on it, and says so in one line", async () => {
    const prepared = await prepareHost(folder, { runtimes: [{ name: "default", device: "cuda" }] });
    await installModel(prepared.modelsDir, await importModel(exampleModel("production")));
    const runtime = startServing("runtime", prepared);
    expect(await runtime.ended).toBe(3);
    expect(JSON.parse(runtime.output())).toMatchObject({ code: "E_DEVICE_MISSING", msg: "cannot start" });
  });
});
