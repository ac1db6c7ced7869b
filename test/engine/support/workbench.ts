import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SlipwayError } from "../../../src/common/errors.ts";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import { nameOf } from "../../../src/engine/embedded/urn.ts";
import type {
  Engine,
  EngineEvent,
  ImportOptions,
  OperationOptions,
  RefreshOptions,
  ResourceToImport,
  StackReference,
} from "../../../src/engine/engine.ts";
import { endedSteps } from "../../support/engine-events.ts";
import { FakeCloud, fakeProvider } from "./fake-provider.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** An engine, a cloud and a stack in a folder of their own. */
export class Workbench {
  readonly cloud = new FakeCloud();
  readonly engine: Engine;
  readonly stack: StackReference;
  readonly state: string;
  events: EngineEvent[] = [];

  private constructor(fixture: string, state: string, passphrase = "open sesame") {
    this.state = state;
    this.engine = createEmbeddedEngine({
      providers: (name) => (name === "openstack" ? fakeProvider(this.cloud) : undefined),
    });
    this.stack = {
      projectRoot: join(fixtures, fixture),
      project: fixture,
      stack: "dev",
      backendUrl: `file://${state}`,
      passphrase,
    };
  }

  static async of(fixture: string): Promise<Workbench> {
    return new Workbench(fixture, await mkdtemp(join(tmpdir(), "slipway-engine-")));
  }

  /** The same stack with other configuration. */
  with(configOverrides: Record<string, string>): StackReference {
    return { ...this.stack, configOverrides };
  }

  options(more: OperationOptions = {}): OperationOptions {
    this.events = [];
    return { onEvent: (event) => this.events.push(event), ...more };
  }

  up(overrides: Record<string, string> = {}, more: OperationOptions = {}) {
    this.cloud.calls.length = 0;
    this.cloud.questions.length = 0;
    return this.engine.up(this.with(overrides), this.options(more));
  }

  preview(overrides: Record<string, string> = {}, more: OperationOptions = {}) {
    this.cloud.calls.length = 0;
    return this.engine.preview(this.with(overrides), this.options(more));
  }

  destroy(more: OperationOptions = {}) {
    this.cloud.calls.length = 0;
    return this.engine.destroy(this.stack, this.options(more));
  }

  refresh(more: RefreshOptions = {}) {
    this.cloud.calls.length = 0;
    this.cloud.questions.length = 0;
    return this.engine.refresh(this.stack, this.options(more));
  }

  import(resources: ResourceToImport[], more: ImportOptions = {}) {
    this.cloud.calls.length = 0;
    this.cloud.questions.length = 0;
    return this.engine.importResources(this.stack, resources, { ...this.options(), ...more });
  }

  /** `create net`, without what stayed the same. */
  steps(): string[] {
    return endedSteps(this.events).map(({ op, urn }) => `${op} ${nameOf(urn)}`);
  }

  /** Why a resource was replaced, as its replacement was told. */
  reasons(name: string): readonly string[] | undefined {
    return endedSteps(this.events).find(({ op, urn }) => op === "create-replacement" && nameOf(urn) === name)?.keys;
  }

  messages(): string[] {
    return this.events.flatMap(({ diagnosticEvent: said }) =>
      said === undefined ? [] : [`${said.severity}: ${said.message.trimEnd()}`],
    );
  }

  get checkpointPath(): string {
    return join(this.state, ".pulumi", "stacks", this.stack.project, "dev.json");
  }

  get locksPath(): string {
    return join(this.state, ".pulumi", "locks", "organization", this.stack.project, "dev");
  }

  // biome-ignore lint/suspicious/noExplicitAny: the file is looked at as a reader would, without the engine's types
  async latest(): Promise<any> {
    return JSON.parse(await readFile(this.checkpointPath, "utf8")).checkpoint.latest;
  }

  locks(): Promise<string[]> {
    return readdir(this.locksPath);
  }

  async copyOfState(): Promise<string> {
    const copy = await mkdtemp(join(tmpdir(), "slipway-engine-"));
    await cp(this.state, copy, { recursive: true });
    return copy;
  }

  async dispose(): Promise<void> {
    await rm(this.state, { recursive: true, force: true });
  }
}

/** What an operation threw; fails the test when it threw nothing or no SlipwayError. */
export async function failureOf(operation: Promise<unknown>): Promise<SlipwayError> {
  const outcome = await operation.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof SlipwayError)) throw new Error(`no SlipwayError but ${String(outcome)}`, { cause: outcome });
  return outcome;
}
