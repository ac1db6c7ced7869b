import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { type RunningCloud, startCloud } from "../../../src/cloud/cloud.ts";
import { FakeHypervisor } from "../../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../../src/cloud/hypervisors/hypervisor.ts";
import { stateFiles } from "../../../src/cloud/store/state.ts";
import { readTextIfExists } from "../../../src/common/files.ts";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import { Vault } from "../../../src/engine/embedded/secrets/vault.ts";
import type { Engine, EngineEvent, StackReference } from "../../../src/engine/engine.ts";
import { findCredentials } from "../../../src/openstack/clouds.ts";
import { openSession, type Session } from "../../../src/openstack/session.ts";
import { createOpenStackProvider } from "../../../src/provider/provider.ts";
import type { Call, Json, loadRecording, Observation, RecordedRun, Resource } from "./recording.ts";
import { type RecordingProxy, startRecordingProxy } from "./recording-proxy.ts";
import { foreseenOf, planOf, secretKey, stepsOf } from "./steps.ts";

const root = join(import.meta.dirname, "../../..");
const passphrase = "x";
const user = { username: "trace", projectName: "trace", password: "trace-password" };

/** A cloud set up as the lab was, with the recorded project beside it, run by the embedded engine. */
export class Lab {
  /** What was there before the first run, by id; and the cloud's address. */
  readonly known: Record<string, string>;
  readonly #session: Session;
  readonly #folder: string;
  readonly #cloud: RunningCloud;
  readonly #proxy: RecordingProxy;
  readonly #engine: Engine;
  readonly #stack: StackReference;
  /** Ids of what {@link standIn} has made, by the recorded ones. */
  readonly #standIns = new Map<string, string>();
  #vault: Vault | undefined;

  private constructor(parts: {
    folder: string;
    cloud: RunningCloud;
    proxy: RecordingProxy;
    session: Session;
    known: Record<string, string>;
    project: string;
  }) {
    this.#folder = parts.folder;
    this.#cloud = parts.cloud;
    this.#proxy = parts.proxy;
    this.#session = parts.session;
    this.known = parts.known;
    this.#engine = createEmbeddedEngine({
      providers: (name) => (name === "openstack" ? createOpenStackProvider({ env: {} }) : undefined),
    });
    const projectRoot = join(parts.folder, "project");
    this.#stack = {
      projectRoot,
      project: parts.project,
      stack: "dev",
      backendUrl: pathToFileURL(join(parts.folder, "state")).href,
      passphrase,
      // types are the language host's business, and checking them takes seconds
      env: { PULUMI_NODEJS_TRANSPILE_ONLY: "true" },
    };
  }

  /**
   * @param sdk the package that stands for `@pulumi/pulumi`
   * @param failBoot why this guest does not boot, or undefined
   */
  static async of(
    { files }: ReturnType<typeof loadRecording>,
    sdk: string,
    failBoot: (spec: GuestSpec) => string | undefined = () => undefined,
  ): Promise<Lab> {
    const folder = await mkdtemp(join(tmpdir(), "slipway-golden-"));
    const stateDir = join(folder, "cloud");
    await mkdir(stateDir);
    const admin = { ...user, username: "admin", projectName: "admin" };
    await writeFile(stateFiles(stateDir).credentials, JSON.stringify({ admin, demo: user }));
    await writeFile(join(folder, "image.raw"), "not a real image");
    const cloud = await startCloud({
      stateDir,
      hypervisor: new FakeHypervisor({ failBoot }),
      images: [{ name: "debian-12", path: join(folder, "image.raw"), minDiskGb: 1 }],
      externalCidr: "172.24.4.0/24",
    });
    const proxy = await startRecordingProxy(cloud.port);
    const variables = { authUrl: cloud.authUrl, userName: user.username, password: user.password };
    const session = openSession(
      await findCredentials({
        env: {},
        variables: { ...variables, tenantName: user.projectName, region: "RegionOne" },
      }),
    );
    await layProject(join(folder, "project"), files, sdk);
    const project = /^name: (\S+)$/m.exec(files["Pulumi.yaml"] ?? "")?.[1] ?? "";
    const known = {
      [proxy.authUrl]: "address of keystone",
      [user.password]: "password",
      ...(await knownObjects(session)),
    };
    return new Lab({ folder, cloud, proxy, session, known, project });
  }

  /** One recorded command, by the embedded engine. */
  async run({ args, config, program }: Pick<RecordedRun, "args" | "config" | "program">): Promise<Observation> {
    await writeFile(join(this.#stack.projectRoot, "index.ts"), program);
    await this.#configure(config);
    this.#proxy.calls.length = 0;
    const events: EngineEvent[] = [];
    const failure = await this.#operation(args, (event) => events.push(event)).then(
      () => undefined,
      (error: Error) => error,
    );
    await this.#cloud.idle();
    const calls: Call[] = [...this.#proxy.calls];
    return {
      failed: failure !== undefined,
      errors: failure === undefined ? [] : [failure.message],
      steps: stepsOf(events),
      calls,
      resources: await this.resources(),
      ...(args.startsWith("preview") ? { plan: planOf(events), foreseen: foreseenOf(events) } : {}),
    };
  }

  /** The checkpoint's resources, secrets opened. */
  async resources(): Promise<Resource[]> {
    const path = join(this.#folder, "state/.pulumi/stacks", this.#stack.project, `${this.#stack.stack}.json`);
    const text = await readTextIfExists(path);
    if (text === undefined) return [];
    const { latest } = JSON.parse(text).checkpoint;
    const vault = await Vault.open(passphrase, latest?.secrets_providers?.state?.salt);
    const resources = (latest?.resources ?? []) as Resource[];
    return resources.map((resource) => ownFrames(opened(resource, vault) as Resource));
  }

  /** Changes an object of the stack without the engine's knowledge. */
  async changeBehindTheBack(name: string, change: (session: Session, id: string) => Promise<unknown>): Promise<void> {
    const found = (await this.resources()).find(({ urn }) => urn.endsWith(name));
    if (found?.id === undefined) throw new Error(`the stack has no ${name}`);
    await change(this.#session, found.id);
  }

  /**
   * Makes what a recorded run found in the lab, outside of any stack.
   * @param recorded its id there
   * @param name what {@link known} calls it
   */
  async standIn(recorded: string, name: string, make: (session: Session) => Promise<string>): Promise<void> {
    const id = await make(this.#session);
    this.known[id] = name;
    this.#standIns.set(recorded, id);
  }

  /** Lets the cloud answer otherwise than it does. */
  answering(alter: RecordingProxy["alter"]): void {
    this.#proxy.alter = alter;
  }

  /** What the project has in the cloud besides what it had before the first run, as `collection name`. */
  async leftovers(): Promise<string[]> {
    const lists = await Promise.all(
      (
        [
          ["compute", "/servers", "servers"],
          ["compute", "/os-server-groups", "server_groups"],
          ["volumev3", "/volumes", "volumes"],
          ["network", "/ports", "ports"],
          ["network", "/floatingips", "floatingips"],
          ["network", "/routers", "routers"],
          ["network", "/subnets", "subnets"],
          ["network", "/networks", "networks"],
          ["network", "/security-groups", "security_groups"],
        ] as const
      ).map(async ([service, path, member]) => {
        const { body } = await this.#session.request<Record<string, { id: string; name?: string }[]>>(
          service,
          "GET",
          path,
        );
        const found = (body[member] ?? []).filter(({ id, name }) => this.known[id] === undefined && name !== "default");
        return found.map(({ id, name }) => `${member} ${name ?? id}`);
      }),
    );
    return lists.flat();
  }

  async close(): Promise<void> {
    this.#session.close();
    await this.#proxy.close();
    await this.#cloud.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #operation(args: string, onEvent: (event: EngineEvent) => void): Promise<unknown> {
    const [verb, ...flags] = args.split(" ");
    const target = flags[flags.indexOf("--target") + 1];
    const options = { onEvent, ...(flags.includes("--target") && target !== undefined ? { targets: [target] } : {}) };
    switch (verb) {
      case "preview":
        return this.#engine.preview(this.#stack, options);
      case "up":
        return this.#engine.up(this.#stack, options);
      case "refresh":
        return this.#engine.refresh(this.#stack, options);
      case "import": {
        const [type = "", name = "", id = ""] = flags;
        const resource = { type, name, id: this.#standIns.get(id) ?? id };
        return this.#engine.importResources(this.#stack, [resource], {
          onEvent,
          protect: !flags.includes("--protect=false"),
        });
      }
      case "destroy":
        return this.#engine.destroy(this.#stack, options);
      default:
        throw new Error(`${verb} was not recorded`);
    }
  }

  async #configure(config: RecordedRun["config"]): Promise<void> {
    this.#vault ??= await Vault.open(passphrase, undefined);
    const vault = this.#vault;
    const values = Object.entries(config).map(([key, value]) => {
      if (key.endsWith(":authUrl")) return [key, this.#proxy.authUrl];
      if (typeof value === "string") return [key, value];
      const secret = value.$secret === "<password>" ? user.password : value.$secret;
      return [key, { secure: vault.encrypt(secret, key) }];
    });
    const file = { encryptionsalt: vault.salt, config: Object.fromEntries(values) };
    await writeFile(join(this.#stack.projectRoot, `Pulumi.${this.#stack.stack}.yaml`), stringify(file));
  }
}

/** A project with packages of its own: the program and `@pulumi/openstack` must get the same copy of the SDK. */
async function layProject(folder: string, files: Record<string, string>, sdk: string): Promise<void> {
  const modules = join(folder, "node_modules");
  await mkdir(join(modules, "@pulumi"), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), name === "tsconfig.json" ? forThisTypeScript(text) : text);
  }
  await symlink(join(root, "node_modules", sdk), join(modules, "@pulumi/pulumi"));
  await symlink(join(root, "node_modules/typescript"), join(modules, "typescript"));
  await cp(join(root, "node_modules/@pulumi/openstack"), join(modules, "@pulumi/openstack"), { recursive: true });
  const { version } = JSON.parse(await readFile(join(modules, "@pulumi/openstack/package.json"), "utf8"));
  const dependencies = { "@pulumi/openstack": version, "@pulumi/pulumi": "*" };
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "recorded", main: "index.ts", dependencies }));
}

/** The lab had TypeScript 5; 6 refuses its way of finding modules unless told that this is known. */
function forThisTypeScript(tsconfig: string): string {
  const { compilerOptions, ...rest } = JSON.parse(tsconfig);
  return JSON.stringify({ ...rest, compilerOptions: { ...compilerOptions, ignoreDeprecations: "6.0" } });
}

async function knownObjects(session: Session): Promise<Record<string, string>> {
  const { body: images } = await session.request<{ images: Named[] }>("image", "GET", "/images");
  const { body: flavors } = await session.request<{ flavors: Named[] }>("compute", "GET", "/flavors");
  const { body: networks } = await session.request<{ networks: Named[] }>("network", "GET", "/networks");
  const { body: subnets } = await session.request<{ subnets: Named[] }>("network", "GET", "/subnets");
  const project = await session.projectId();
  return {
    [project]: "project trace",
    ...Object.fromEntries(subnets.subnets.map(({ id }) => [id, "subnet of public"])),
    ...Object.fromEntries(images.images.map(({ id, name }) => [id, `image ${name}`])),
    ...Object.fromEntries(flavors.flavors.map(({ id, name }) => [id, `flavor ${name}`])),
    ...Object.fromEntries(networks.networks.map(({ id, name }) => [id, `network ${name}`])),
  };
}

interface Named {
  id: string;
  name: string;
}

function opened(value: Json, vault: Vault, slot = ""): Json {
  if (Array.isArray(value)) return value.map((item, index) => opened(item, vault, `${slot}/${index}`));
  if (value === null || typeof value !== "object") return value;
  if (value[secretKey] !== undefined && value.ciphertext !== undefined) {
    const secret = JSON.parse(vault.decrypt(String(value.ciphertext), slot)) as Json;
    return { $secret: secret === user.password ? "<password>" : opened(secret, vault, `${slot}!`) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, opened(item, vault, `${slot}/${key}`)]));
}

/** Only the positions inside of the program, as in the recordings. */
function ownFrames({ sourcePosition, stackTrace, ...resource }: Resource): Resource {
  const isOwn = (position: Json | undefined) => typeof position === "string" && !position.includes("/node_modules/");
  const frames = ((stackTrace ?? []) as { sourcePosition?: string }[]).filter((frame) => isOwn(frame.sourcePosition));
  return {
    ...(resource as Resource),
    ...(isOwn(sourcePosition) ? { sourcePosition: sourcePosition as Json } : {}),
    ...(frames.length > 0 ? { stackTrace: frames as Json } : {}),
  };
}
