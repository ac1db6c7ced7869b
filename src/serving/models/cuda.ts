import { existsSync } from "node:fs";
import nodeModule from "node:module";
import { dirname, join } from "node:path";
import { messageOf } from "../../common/errors.ts";

/** The provider that computes on NVIDIA's devices; ONNX Runtime looks for it beside its own library. */
const PROVIDERS = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];

/** cuDNN 9, which ONNX Runtime's provider is built for since 1.19. */
const CUDNN = "libcudnn.so.9";

/** What is looked at on a host. */
export interface CudaSurroundings {
  platform: string;
  /** Of the variable CUDA_VISIBLE_DEVICES. */
  visibleDevices: string | undefined;
  /** The folder of ONNX Runtime's library; undefined where it is not found. */
  libraries: string | undefined;
  exists: (path: string) => boolean;
}

/**
 * What a host lacks for CUDA, one reason after the other; empty where nothing is known to be missing. Looked at before CUDA is tried: a
 * failed try tells the first missing library alone.
 */
export function missingForCuda({ platform, visibleDevices, libraries, exists }: CudaSurroundings): string[] {
  if (platform !== "linux x64") return [`ONNX Runtime's package has no CUDA for ${platform}`];
  const reasons: string[] = [];
  if (visibleDevices !== undefined && /^\s*(-1.*)?$/.test(visibleDevices)) {
    reasons.push(`CUDA_VISIBLE_DEVICES=${visibleDevices} hides all devices`);
  }
  if (!exists("/proc/driver/nvidia/version")) reasons.push("no NVIDIA driver is loaded");
  else if (!exists("/dev/nvidiactl")) reasons.push("the NVIDIA devices cannot be reached (/dev/nvidiactl)");
  const absent = libraries === undefined ? PROVIDERS : PROVIDERS.filter((name) => !exists(join(libraries, name)));
  if (absent.length > 0) reasons.push(`${absent.join(" and ")} is not beside ONNX Runtime's library`);
  return reasons;
}

/** This host, as this process sees it. */
export function cudaSurroundings(): CudaSurroundings {
  return {
    platform: `${process.platform} ${process.arch}`,
    visibleDevices: process.env.CUDA_VISIBLE_DEVICES,
    libraries: librariesFolder(),
    exists: existsSync,
  };
}

/** What the system says when it does not load the provider, the missing library's name with it; undefined where it does. */
export function providerLoadError({ libraries, exists }: CudaSurroundings): string | undefined {
  const path = libraries && join(libraries, PROVIDERS[0] as string);
  return path === undefined || !exists(path) ? undefined : loadErrorOf(path);
}

/**
 * The same of the library that convolutions are computed by. The provider opens without it and asks for it at a model's first convolution
 * only, which then fails.
 */
export const cudnnLoadError = (): string | undefined => loadErrorOf(CUDNN);

/** @param library path, or a name that the system looks for */
function loadErrorOf(library: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, library);
    return undefined;
  } catch (error) {
    const text = messageOf(error);
    // it is no module of Node's: so far only a library that was loaded comes
    return text.includes("did not self-register") ? undefined : text;
  }
}

/** What CUDA itself says in what ONNX Runtime makes of it: paths of its sources and signatures stand before that. */
export function cudaFailureIn(text: string): string | undefined {
  return /CUDA failure \d+: [^;]*[^; ]/.exec(text)?.[0];
}

/** Beside the sources the package is found from here; on a host it lies beside Node. */
function librariesFolder(): string | undefined {
  for (const from of [import.meta.url, process.execPath]) {
    try {
      const entry = nodeModule.createRequire(from).resolve("onnxruntime-node");
      const { platform, arch } = process;
      return join(dirname(entry), "..", "bin", "napi-v6", platform, arch);
    } catch {
      // not from there
    }
  }
  return undefined;
}
