import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createEmbeddedEngine } from "../../../../src/engine/embedded/embedded-engine.ts";
import { nameOf } from "../../../../src/engine/embedded/urn.ts";
import type { Engine, EngineEvent, OperationOptions, StackReference } from "../../../../src/engine/engine.ts";
import { findInstallation } from "../../../../src/engine/official/find.ts";
import { createOfficialEngine } from "../../../../src/engine/official/official-engine.ts";
import { endedSteps } from "../../../support/engine-events.ts";

export type Kind = Engine["kind"];

/** The CLI of this machine: where there is none these tests are skipped, and counted as such. */
export const { cli, missing } = await findInstallation([]);

/** A fixture with a state of its own, on which both engines work. */
export class OfficialBench {
  readonly folder: string;
  readonly stack: StackReference;
  readonly engines: Record<Kind, Engine> = {
    embedded: createEmbeddedEngine({ providers: () => undefined }),
    official: createOfficialEngine(),
  };
  events: EngineEvent[] = [];

  private constructor(folder: string, fixture: string) {
    this.folder = folder;
    this.stack = {
      projectRoot: fileURLToPath(new URL(`../../fixtures/${fixture}`, import.meta.url)),
      project: fixture,
      stack: "dev",
      backendUrl: `file://${join(folder, "state")}`,
      passphrase: "open sesame",
      env: { PULUMI_HOME: join(folder, "home") },
    };
  }

  /** The CLI gets a home of its own, with the plugins of this machine. */
  static async create(fixture = "handover"): Promise<OfficialBench> {
    const folder = await mkdtemp(join(tmpdir(), "slipway-official-test-"));
    const home = process.env.PULUMI_HOME || join(homedir(), ".pulumi");
    await mkdir(join(folder, "home"));
    await mkdir(join(folder, "state"));
    await symlink(join(home, "plugins"), join(folder, "home/plugins"));
    return new OfficialBench(folder, fixture);
  }

  run(
    kind: Kind,
    verb: "preview" | "up" | "destroy" | "refresh",
    configuration: Record<string, string> = {},
    options: OperationOptions = {},
  ) {
    this.events = [];
    const onEvent = (event: EngineEvent) => {
      this.events.push(event);
      options.onEvent?.(event);
    };
    return this.engines[kind][verb](this.with(configuration), { ...options, onEvent });
  }

  with(configuration: Record<string, string>): StackReference {
    const configOverrides = Object.fromEntries(
      Object.entries(configuration).map(([key, value]) => [`${this.stack.project}:${key}`, value]),
    );
    return { ...this.stack, configOverrides };
  }

  /** The last run's steps, without what stayed the same, sorted: independent ones come in any order. */
  steps(): string[] {
    return endedSteps(this.events)
      .map(({ op, urn }) => `${op} ${nameOf(urn)}`)
      .sort();
  }

  messages(): string[] {
    return this.events.flatMap(({ diagnosticEvent: said }) =>
      said === undefined ? [] : [`${said.severity}: ${said.message.trimEnd()}`],
    );
  }

  /** The CLI as a user types it. */
  async pulumi(...args: string[]): Promise<string> {
    const { projectRoot, backendUrl, passphrase, env } = this.stack;
    const { stdout } = await promisify(execFile)(cli ?? "pulumi", [...args, "--non-interactive"], {
      cwd: projectRoot,
      env: {
        ...process.env,
        ...env,
        PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
        PULUMI_BACKEND_URL: backendUrl,
        PULUMI_CONFIG_PASSPHRASE: passphrase,
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
      },
    });
    return stdout;
  }

  get checkpointPath(): string {
    return join(this.folder, "state/.pulumi/stacks", this.stack.project, "dev.json");
  }

  checkpoint(): Promise<string> {
    return readFile(this.checkpointPath, "utf8");
  }

  // biome-ignore lint/suspicious/noExplicitAny: the file is looked at as a reader would, without the engine's types
  async latest(): Promise<any> {
    return JSON.parse(await this.checkpoint()).checkpoint.latest;
  }

  get locksPath(): string {
    return join(this.folder, "state/.pulumi/locks/organization", this.stack.project, "dev");
  }

  /** The locks' contents. */
  async locks(): Promise<{ pid: number }[]> {
    const names = await readdir(this.locksPath).catch(() => []);
    const texts = names
      .filter((name) => name.endsWith(".json"))
      .map((name) => readFile(join(this.locksPath, name), "utf8"));
    return (await Promise.all(texts)).map((text) => JSON.parse(text));
  }

  /** A lock as an engine on another machine leaves it. */
  async lockFromElsewhere(): Promise<void> {
    await mkdir(this.locksPath, { recursive: true });
    await writeFile(
      join(this.locksPath, "6b1d1d0e-0000-4000-8000-000000000000.json"),
      JSON.stringify({ pid: 1, username: "ann", hostname: "elsewhere", timestamp: new Date().toISOString() }),
    );
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
