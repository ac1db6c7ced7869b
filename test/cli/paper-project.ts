import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { type CloudOptions, type RunningCloud, startCloud } from "../../src/cloud/cloud.ts";
import { withCloudEntries } from "../../src/cloud/clouds-yaml.ts";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../src/cloud/hypervisors/hypervisor.ts";
import { cacheHome } from "../../src/common/home.ts";
import { Limit } from "../../src/engine/embedded/steps/limit.ts";
import { formatJournalLine, type JournalEntry } from "../../src/guest/journal.ts";
import { logIn } from "../e2e/openstack-http.ts";
import { type Kill, Slipway } from "../e2e/slipway.ts";

/** The stack that a pretended guest belongs to, out of its config drive. */
export function stackOf(spec: GuestSpec): string {
  const { meta } = JSON.parse(String(spec.configDrive["openstack/latest/meta_data.json"])) as {
    meta: { slipway: string };
  };
  return meta.slipway.split("/").at(-1) ?? "";
}

/** A console log as a guest's bootstrap writes it. */
export function consoleOf(entries: JournalEntry[]): string {
  const boot = "7d2f9d1c-0000-4000-8000-000000000000";
  return entries.map((entry, index) => `${formatJournalLine({ boot, seq: index + 1, entry })}\n`).join("");
}

/** A cloud in this process whose guests are pretended, and a project in a folder of its own that is logged in to it. */
export class PaperProject {
  readonly cloud: RunningCloud;
  readonly slipway: Slipway;
  readonly #two = new Limit(2);

  private constructor(cloud: RunningCloud, slipway: Slipway) {
    this.cloud = cloud;
    this.slipway = slipway;
  }

  /** @param console what a guest has written to its console by now */
  static async create(
    console?: (spec: GuestSpec) => string,
    options: Partial<CloudOptions> = {},
  ): Promise<PaperProject> {
    const slipway = await Slipway.create();
    const cloud = await startCloud({
      stateDir: join(slipway.home, "paper"),
      hypervisor: new FakeHypervisor(console === undefined ? {} : { console }),
      images: [{ name: "debian-13", path: null, minDiskGb: 1 }],
      ...options,
    });
    const project = new PaperProject(cloud, slipway);
    await writeFile(project.cloudsFile, withCloudEntries(undefined, cloud.authUrl, cloud.credentials));
    return project;
  }

  get cloudsFile(): string {
    return join(this.slipway.home, "clouds.yaml");
  }

  /** Runs `slipway`, at most two at a time, since each is a process that may load a program; one that is sure to end soon may go `ahead`. */
  run(args: string[], options: { env?: Record<string, string>; kill?: Kill; ahead?: boolean } = {}) {
    const env = {
      // the user's own clouds.yaml stays outside, the payload's layers come from the user's cache
      HOME: this.slipway.projectRoot,
      XDG_CACHE_HOME: join(cacheHome(), ".."),
      ...options.env,
    };
    const command = () => this.slipway.run(args, { ...options, env, timeoutMs: 100_000 });
    return options.ahead ? command() : this.#two.run(command);
  }

  /** Makes a stack's file: production's, with other values. */
  async addStack(name: string, values: Record<string, unknown> = {}): Promise<void> {
    const folder = join(this.slipway.projectRoot, "stacks");
    const { config } = parse(await readFile(join(folder, "Pulumi.production.yaml"), "utf8")) as { config: object };
    await writeFile(join(folder, `Pulumi.${name}.yaml`), stringify({ config: { ...config, ...values } }));
  }

  /** Copies the production model to a folder of the project and answers its path. */
  async copyModel(name: string): Promise<string> {
    const folder = join(this.slipway.projectRoot, "models", name);
    await cp(join(this.slipway.projectRoot, "models/diabetes/production"), folder, { recursive: true });
    return folder;
  }

  /** What the cloud has that carries a stack's name or tag: `<collection> <name>`, sorted. */
  async resourcesOf(stack: string): Promise<string[]> {
    const { headers, endpoint } = await logIn(this.slipway);
    const collections: [string, string][] = [
      [endpoint("compute"), "servers/detail"],
      [endpoint("compute"), "os-keypairs"],
      ...["floatingips", "ports", "routers", "subnets", "networks", "security-groups"].map(
        (collection): [string, string] => [`${endpoint("network").replace(/\/$/, "")}/v2.0`, collection],
      ),
      [endpoint("object-store"), "?format=json"],
    ];
    const marked = (thing: object) => new RegExp(`slipway[:/-](slipway[/-])?${stack}\\b`).test(JSON.stringify(thing));
    const lists = await Promise.all(
      collections.map(async ([base, path]) => {
        const answer = await fetch(path.startsWith("?") ? base + path : `${base}/${path}`, { headers });
        const body = (await answer.json()) as Record<string, object[]> | object[];
        const members = (Array.isArray(body) ? body : Object.values(body)[0]) ?? [];
        const kind = path.startsWith("?") ? "container" : path;
        return members.filter(marked).map((thing) => `${kind} ${(thing as { name?: string }).name ?? ""}`.trim());
      }),
    );
    return lists.flat().sort();
  }

  /** What lies in a stack's own folder of the Slipway home. */
  stackFile(stack: string, file: string): string {
    return join(this.slipway.home, "stacks", stack, file);
  }

  async remove(): Promise<void> {
    await this.cloud.close();
    await this.slipway.removeFolder();
  }
}
