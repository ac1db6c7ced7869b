import { findPackageJSON } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readTextIfExists } from "../../../common/files.ts";
import type { PackageRequest } from "../providers/default-providers.ts";

/** The npm package that a program declares a provider's resources with, and the provider that goes with it. */
export interface SdkPackage extends PackageRequest {
  /** Name of the npm package, e.g. `@pulumi/openstack`. */
  sdk: string;
}

interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  pulumi?: { resource?: boolean; name?: string; version?: string; server?: string };
}

/**
 * Looks for a provider's SDK among the packages that a program depends on. Its version is the one that the program's own
 * registrations will ask for, so that they find the same default provider (pulumi/pulumi, pulumi-language-nodejs, getPackagesFromProgram).
 * A package that is not there is asked for without a version.
 */
export function sdkPackages(programDirectory: string): (packageName: string) => Promise<SdkPackage> {
  const own = join(programDirectory, "package.json");
  const found = new Map<string, Promise<SdkPackage>>();
  const look = async (packageName: string): Promise<SdkPackage> => {
    const usual = `@pulumi/${packageName}`;
    const { dependencies, devDependencies } = await readManifest(own);
    for (const sdk of new Set([usual, ...Object.keys({ ...dependencies, ...devDependencies })])) {
      const { version = "", pulumi } = await readManifest(manifestOf(sdk, own));
      if (pulumi?.resource !== true || (pulumi.name ?? sdk.replace(/^@pulumi\//, "")) !== packageName) continue;
      const named = (pulumi.version ?? version).replace(/^v/, "");
      return { sdk, name: packageName, version: named, pluginDownloadUrl: pulumi.server ?? "" };
    }
    return { sdk: usual, name: packageName, version: "", pluginDownloadUrl: "" };
  };
  return (packageName) => {
    const answer = found.get(packageName) ?? look(packageName);
    found.set(packageName, answer);
    return answer;
  };
}

function manifestOf(sdk: string, own: string): string | undefined {
  try {
    return findPackageJSON(sdk, pathToFileURL(own));
  } catch {
    return undefined; // it is not installed
  }
}

async function readManifest(path: string | undefined): Promise<Manifest> {
  const text = path === undefined ? undefined : await readTextIfExists(path);
  try {
    return text === undefined ? {} : (JSON.parse(text) as Manifest);
  } catch {
    return {}; // the program will say so
  }
}
