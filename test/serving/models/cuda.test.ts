import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { heavyNet, seeded } from "../../../bench/serving/nets.ts";
import type { ServingConfigFile } from "../../../src/serving/config.ts";
import {
  cudaFailureIn,
  cudaSurroundings,
  cudnnLoadError,
  missingForCuda,
  providerLoadError,
} from "../../../src/serving/models/cuda.ts";
import { importModel } from "../../../src/serving/models/import.ts";
import { openOnnxModel } from "../../../src/serving/models/onnx-model.ts";
import { floatRows, floatsIn } from "../../../src/serving/tensors/raw-tensor.ts";
import { ask, exampleModel, installModel, prepareHost, startServing, untilReady } from "../support.ts";

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
    if (!reachable) expect(cudnnLoadError()).toMatch(/^libcudnn\.so\.9: cannot open shared object file/);
  });

  it("is told of a device that is not there by CUDA's own words", () => {
    // as ONNX Runtime 1.30.0 says it
    const call = "onnxruntime::CudaCall(ERRTYPE, const char*, int) [with ERRTYPE = cudaError; bool THRW = true]";
    const where =
      "GPU=0 ; hostname=vm ; file=/src/cuda_execution_provider.cc ; line=352 ; expr=cudaSetDevice(info_.device_id); ";
    const said = `/src/cuda_call.cc:154 void ${call} /src/cuda_call.cc:146 void ${call} CUDA failure 101: invalid device ordinal ; ${where}`;
    expect(cudaFailureIn(said)).toBe("CUDA failure 101: invalid device ordinal");
    expect(cudaFailureIn("another reason")).toBeUndefined();
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

describe.skipIf(!reachable)("a host with CUDA", () => {
  it.each(["diabetes", "heavy"])("computes there what the processor computes: %s", async (name) => {
    const { onnx } = name === "heavy" ? heavyNet().model : await importModel(exampleModel("production"));
    const values = Float32Array.from({ length: 256 * 8 }, seeded(1));
    const answers: Float32Array[] = [];
    for (const device of ["cpu", "cuda"] as const) {
      const model = await openOnnxModel(onnx, { device });
      expect(model.provider).toBe(device);
      const [output] = await model.run([floatRows(values, 256)]);
      answers.push(floatsIn(output));
      await model.close();
    }
    const [byCpu, byCuda] = answers as [Float32Array, Float32Array];
    expect(byCuda).toHaveLength(256);
    expect(Math.max(...byCpu.map((value, at) => Math.abs(value - (byCuda[at] as number))))).toBeLessThan(1e-4);
  });

  type Group = NonNullable<ServingConfigFile["runtimes"]>[number];
  it.each<[string, Partial<Group>, NodeJS.ProcessEnv, string, unknown]>([
    ["CUDA unless told otherwise", {}, {}, "cuda", null],
    ["CUDA where it is insisted on", { device: "cuda", deviceIds: [0] }, {}, "cuda", null],
    ["the processor where that is wanted", { device: "cpu" }, {}, "cpu", null],
    ["the processor where devices are hidden", {}, { CUDA_VISIBLE_DEVICES: "-1" }, "cpu", /CUDA_VISIBLE_DEVICES=-1/],
    [
      "the processor where there is no such device",
      { deviceIds: [99] },
      {},
      "cpu",
      /^CUDA failure 101: invalid device ordinal$/,
    ],
  ])("takes %s, and tells", async (_what, group, env, provider, note) => {
    const root = await mkdtemp(join(folder, "host-"));
    const prepared = await prepareHost(root, { runtimes: [{ name: "default", replicas: 1, ...group }] });
    await installModel(prepared.modelsDir, heavyNet().model);
    const processes = (["frontend", "runtime"] as const).map((entry) =>
      startServing(entry, { ...prepared, env: { ...prepared.env, ...env } }),
    );
    try {
      await untilReady(prepared);
      const { body } = await ask(`${prepared.url}/version`);
      expect(body.provider).toBe(provider);
      if (note === null) expect(body.providerNote).toBeNull();
      else expect(body.providerNote).toMatch(note as RegExp);
    } finally {
      await Promise.all(processes.map((each) => each.end("SIGKILL")));
    }
  });

  it("does not start a runtime that insists on a device that is not there", async () => {
    const root = await mkdtemp(join(folder, "host-"));
    const prepared = await prepareHost(root, { runtimes: [{ name: "default", device: "cuda", deviceIds: [99] }] });
    await installModel(prepared.modelsDir, await importModel(exampleModel("production")));
    const runtime = startServing("runtime", prepared);
    expect(await runtime.ended).toBe(3);
    expect(runtime.output()).toContain("E_DEVICE_MISSING");
  });
});
