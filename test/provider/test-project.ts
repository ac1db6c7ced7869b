import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parse, stringify } from "yaml";
import { createEmbeddedEngine } from "../../src/engine/embedded/embedded-engine.ts";
import { nameOf } from "../../src/engine/embedded/urn.ts";
import type { Engine, EngineEvent, OperationResult, StackReference } from "../../src/engine/engine.ts";
import type { ResourceProvider } from "../../src/engine/resource-provider.ts";
import { createOpenStackProvider } from "../../src/provider/provider.ts";
import { endedSteps } from "../support/engine-events.ts";
import type { TestCloud } from "./test-cloud.ts";

const root = join(import.meta.dirname, "../..");
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 test";

/** The shipped program in a folder of its own, run by the embedded engine against a test cloud. */
export class TestProject {
  readonly folder: string;
  readonly reference: StackReference;
  readonly engine: Engine;
  /** Each step of the last run as `operation logical-name`, in the order of their ends. */
  steps: string[] = [];
  /** Why resources were replaced in the last run. */
  reasons: Record<string, string[]> = {};

  readonly #cloud: TestCloud;

  private constructor(folder: string, cloud: TestCloud, wrap: (provider: ResourceProvider) => ResourceProvider) {
    this.folder = folder;
    this.#cloud = cloud;
    this.reference = {
      projectRoot: folder,
      project: "slipway",
      stack: "production",
      backendUrl: pathToFileURL(join(folder, ".slipway/state")).href,
      passphrase: "test",
      env: { SLIPWAY_HOME: join(folder, ".slipway") },
    };
    const options = { env: {}, cwd: folder, extraCloudsFiles: [join(cloud.folder, "clouds.yaml")] };
    this.engine = createEmbeddedEngine({
      providers: (name) => (name === "openstack" ? wrap(createOpenStackProvider(options)) : undefined),
    });
  }

  /** @param wrap stands between engine and provider, to break things */
  static async create(cloud: TestCloud, wrap = (provider: ResourceProvider) => provider): Promise<TestProject> {
    const folder = join(cloud.folder, "project");
    await mkdir(join(folder, ".slipway/stacks/production"), { recursive: true });
    for (const name of ["Pulumi.yaml", "package.json", "stacks", "cloud-init"]) {
      await cp(join(root, name), join(folder, name), { recursive: true });
    }
    for (const name of ["src", "node_modules"]) await symlink(join(root, name), join(folder, name));
    await writeFile(join(folder, ".slipway/id_ed25519.pub"), `${publicKey}\n`);
    const project = new TestProject(folder, cloud, wrap);
    await project.logInAs({});
    await project.publish("http://172.24.64.1:8080/v1/AUTH_demo/slipway-production");
    return project;
  }

  /** Writes the clouds.yaml entry that the stack names; with other credentials where told. */
  async logInAs(over: { password?: string }): Promise<void> {
    const { authUrl, userName, password, tenantName, region } = this.#cloud.variables;
    const entry = {
      auth: {
        auth_url: authUrl,
        username: userName,
        password: over.password ?? password,
        project_name: tenantName,
        user_domain_name: "Default",
        project_domain_name: "Default",
      },
      region_name: region,
    };
    await writeFile(join(this.#cloud.folder, "clouds.yaml"), stringify({ clouds: { slipway: entry } }));
  }

  /** Writes what the publisher leaves for the program. */
  async publish(sourceUrl: string): Promise<void> {
    const record = {
      schemaVersion: 1,
      sourceUrl,
      publicKey: "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
    };
    await writeFile(join(this.folder, ".slipway/stacks/production/publication.json"), JSON.stringify(record));
  }

  /** Changes keys of the stack's file. */
  async configure(values: Record<string, unknown>): Promise<void> {
    const path = join(this.folder, "stacks/Pulumi.production.yaml");
    const file = parse(await readFile(path, "utf8")) as { config: Record<string, unknown> };
    Object.assign(file.config, values);
    await writeFile(path, stringify(file));
  }

  /** What the state says. */
  outputs = async () => (await this.engine.outputs(this.reference)) ?? {};
  preview = () => this.#run("preview");
  up = () => this.#run("up");
  destroy = () => this.#run("destroy");

  async #run(operation: "preview" | "up" | "destroy"): Promise<OperationResult> {
    this.steps = [];
    this.reasons = {};
    return this.engine[operation](this.reference, { onEvent: (event) => this.#note(event) });
  }

  #note(event: EngineEvent): void {
    const failed = event.resOpFailedEvent?.metadata;
    for (const { op, urn, type, keys } of failed === undefined ? endedSteps([event]) : [failed]) {
      if (!type.startsWith("openstack:")) continue;
      this.steps.push(`${failed === undefined ? "" : "failed "}${op} ${type.split(":").at(-1)} ${nameOf(urn)}`);
      if (keys !== undefined) this.reasons[nameOf(urn)] = keys;
    }
  }
}
