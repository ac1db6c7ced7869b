import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CloudOptions, type RunningCloud, startCloud } from "../../src/cloud/cloud.ts";
import type { Login } from "../../src/cloud/credentials.ts";
import { FakeHypervisor, type FakeOptions } from "../../src/cloud/hypervisors/fake.ts";
import type { PropertyMap, ResourceIdentity, ResourceProvider } from "../../src/engine/resource-provider.ts";
import { findCredentials } from "../../src/openstack/clouds.ts";
import { openSession, type Session } from "../../src/openstack/session.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";

/** A cloud with guests on paper, for one test file. */
export interface TestCloud {
  cloud: RunningCloud;
  folder: string;
  /** Configuration of the provider that logs in as the cloud's user. */
  variables: Record<string, string>;
  /** The same for its administrator. */
  adminVariables: Record<string, string>;
  session: Session;
  stop(): Promise<void>;
}

export async function startTestCloud(
  options: { guests?: FakeOptions; cloud?: Partial<CloudOptions> } = {},
): Promise<TestCloud> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-provider-"));
  const image = join(folder, "image.raw");
  await writeFile(image, "not a real image");
  await mkdir(join(folder, "cloud"));
  const cloud = await startCloud({
    stateDir: join(folder, "cloud"),
    hypervisor: new FakeHypervisor(options.guests),
    images: [{ name: "debian-13", path: image, minDiskGb: 1 }],
    ...options.cloud,
  });
  const variablesOf = (login: Login) => ({
    authUrl: cloud.authUrl,
    userName: login.username,
    password: login.password,
    tenantName: login.projectName,
    region: "RegionOne",
  });
  const variables = variablesOf(cloud.credentials.demo);
  const session = openSession(await findCredentials({ env: {}, variables }));
  return {
    cloud,
    folder,
    variables,
    adminVariables: variablesOf(cloud.credentials.admin),
    session,
    async stop() {
      session.close();
      await cloud.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A provider that is logged in to the test cloud, and no environment. */
export async function providerOf(cloud: TestCloud, variables = cloud.variables): Promise<ResourceProvider> {
  const provider = createOpenStackProvider({ env: {} });
  await provider.configure(variables);
  return provider;
}

/** The identity of a resource of this kind, e.g. `networking/network:Network`. */
export function resource(kind: string, name: string): ResourceIdentity {
  const type = `openstack:${kind}`;
  return { urn: `urn:pulumi:test::provider::${type}::${name}`, type, name };
}

/** What a program does with one resource: Check, then Create. */
export async function make(provider: ResourceProvider, r: ResourceIdentity, news: PropertyMap) {
  const { inputs, failures } = await provider.check(r, {}, news);
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  const { id, outputs } = await provider.create(r, inputs, false, {});
  return { r, id, outputs, inputs };
}

/** What the next run of the same program finds: Check with the old inputs, Diff with the state. */
export async function again(provider: ResourceProvider, made: Awaited<ReturnType<typeof make>>, news: PropertyMap) {
  const { inputs, failures } = await provider.check(made.r, made.inputs, news);
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  return { inputs, diff: await provider.diff(made.r, made.id, made.outputs, made.inputs, inputs, []) };
}
