import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeHypervisor, type FakeOptions } from "../../src/cloud/hypervisors/fake.ts";
import type { GuestSpec } from "../../src/cloud/hypervisors/hypervisor.ts";
import type { FloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { importModel } from "../../src/serving/models/import.ts";
import { consoleOf, PaperProject } from "../cli/paper-project.ts";
import { listOf, logIn, postJson } from "../e2e/openstack-http.ts";
import { exampleModel, installModel, prepareHost, startServing, untilReady } from "../serving/support.ts";
import { assemble } from "../support/assemble.ts";
import { LoopbackDataplane } from "./loopback-dataplane.ts";

const FRONTEND_PORT = 5100;
/** On which nothing listens. */
const CLOSED_PORT = 1;

/** What differs from a cloud with one generation of hosts, all of which pass. */
interface Pretence {
  /** Why the gate of a guest fails; undefined where it passes. */
  failure?: (hostname: string) => string | undefined;
  /** The guests that pass, and behind whose address nobody answers, by name. */
  silent?: string[];
}

/** Guests on paper that begin to serve as they boot. */
class ServingHypervisor extends FakeHypervisor {
  readonly #serve: (spec: GuestSpec) => Promise<void>;

  constructor(options: FakeOptions, serve: (spec: GuestSpec) => Promise<void>) {
    super(options);
    this.#serve = serve;
  }

  override async boot(spec: GuestSpec): Promise<void> {
    await this.#serve(spec);
    await super.boot(spec);
  }
}

/**
 * A project on a cloud whose guests are pretended but serve: their consoles tell that they passed the gate, and behind an address that
 * leads to one answer the product's own frontend and runtime: one runtime for all guests, and a frontend for each name that they have.
 */
export class ServedProject {
  readonly project: PaperProject;
  readonly #end: () => Promise<unknown>;

  private constructor(project: PaperProject, end: () => Promise<unknown>) {
    this.project = project;
    this.#end = end;
  }

  static async create({ failure = () => undefined, silent = [] }: Pretence = {}): Promise<ServedProject> {
    const { built, end } = await assemble(async (undo) => {
      const folder = await mkdtemp(join(tmpdir(), "slipway-ledger-"));
      undo(() => rm(folder, { recursive: true, force: true }));
      const host = await prepareHost(folder);
      const model = await installModel(host.modelsDir, await importModel(exampleModel("production")));
      const runtime = startServing("runtime", host);
      undo(() => runtime.end("SIGKILL"));
      const frontends = new Map<string, Promise<number>>();
      const startFrontend = async (name: string): Promise<number> => {
        const own = join(folder, name);
        await mkdir(own);
        const shared = { runtimeDir: host.config.runtimeDir, modelsDir: host.modelsDir };
        const one = await prepareHost(own, { ...shared, generation: name.replace(/^.*-/, ""), host: name });
        const frontend = startServing("frontend", one);
        undo(() => frontend.end("SIGKILL"));
        await untilReady(one);
        return one.config.frontend.port;
      };
      const ports = new Map<string, number>();
      const serve = async ({ id, hostname }: GuestSpec): Promise<void> => {
        if (silent.includes(hostname)) return;
        const started = frontends.get(hostname) ?? startFrontend(hostname);
        frontends.set(hostname, started);
        ports.set(id, await started);
      };
      const portOf = (serverId: string) => ports.get(serverId) ?? CLOSED_PORT;
      const dataplane = new LoopbackDataplane(FRONTEND_PORT, portOf);
      undo(() => dataplane.destroy());
      const console = ({ hostname }: GuestSpec) => {
        const reason = failure(hostname);
        const verdict = { type: "verdict", ms: 1, at: new Date().toISOString() } as const;
        if (reason === undefined) return consoleOf([{ ...verdict, sequence: 1000, ok: true, model }]);
        const failed = { ok: false, failure: { step: "gate", reason, lines: [] } };
        // whichever release is followed: one that is not told of would be overtaken
        return consoleOf(Array.from({ length: 50 }, (_, at) => ({ ...verdict, ...failed, sequence: at + 1 })));
      };
      const hypervisor = new ServingHypervisor({ console }, serve);
      const project = await PaperProject.create(undefined, { dataplane, hypervisor });
      undo(() => project.remove());
      return project;
    });
    return new ServedProject(built, end);
  }

  /** The project's floating IPs, in the order of their addresses. */
  async addresses(): Promise<FloatingIp[]> {
    const found = (await listOf(this.project.slipway, "network", "floatingips")) as FloatingIp[];
    return found.sort((one, other) => one.floating_ip_address.localeCompare(other.floating_ip_address));
  }

  /** What somebody does with the `openstack` client or in the dashboard: a call of Neutron's. */
  async neutron(method: string, path: string, body?: unknown): Promise<Response> {
    const { headers, endpoint } = await logIn(this.project.slipway);
    const url = `${endpoint("network").replace(/\/$/, "")}/v2.0/${path}`;
    if (method === "POST") return postJson(url, body, headers);
    const json = body === undefined ? {} : { body: JSON.stringify(body) };
    return fetch(url, {
      method,
      headers: { ...headers, ...(body ? { "content-type": "application/json" } : {}) },
      ...json,
    });
  }

  /** Allocates an address for the project, as somebody would by hand. */
  async allocate(): Promise<FloatingIp> {
    const { networks } = (await (await this.neutron("GET", "networks?name=public")).json()) as {
      networks: { id: string }[];
    };
    const answer = await this.neutron("POST", "floatingips", { floatingip: { floating_network_id: networks[0]?.id } });
    return ((await answer.json()) as { floatingip: FloatingIp }).floatingip;
  }

  async remove(): Promise<void> {
    await this.#end();
  }
}
