import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { importModel } from "../../src/serving/models/import.ts";
import { consoleOf, PaperProject } from "../cli/paper-project.ts";
import { listOf, logIn, postJson } from "../e2e/openstack-http.ts";
import { exampleModel, installModel, prepareHost, startServing, untilReady } from "../serving/support.ts";
import { assemble } from "../support/assemble.ts";
import { LoopbackDataplane } from "./loopback-dataplane.ts";

const FRONTEND_PORT = 5100;

/**
 * A project on a cloud whose guests are pretended but serve: their consoles tell that they passed the gate, and behind an address that
 * leads to one answer the product's own frontend and runtime, in two processes for all guests.
 */
export class ServedProject {
  readonly project: PaperProject;
  readonly #end: () => Promise<unknown>;

  private constructor(project: PaperProject, end: () => Promise<unknown>) {
    this.project = project;
    this.#end = end;
  }

  static async create(): Promise<ServedProject> {
    const { built, end } = await assemble(async (undo) => {
      const folder = await mkdtemp(join(tmpdir(), "slipway-ledger-"));
      undo(() => rm(folder, { recursive: true, force: true }));
      const host = await prepareHost(folder);
      const model = await installModel(host.modelsDir, await importModel(exampleModel("production")));
      for (const entry of ["runtime", "frontend"] as const) {
        const started = startServing(entry, host);
        undo(() => started.end("SIGKILL"));
      }
      const dataplane = new LoopbackDataplane(FRONTEND_PORT, host.config.frontend.port);
      undo(() => dataplane.destroy());
      const verdict = { type: "verdict", sequence: 1000, ok: true, model, ms: 1 } as const;
      const project = await PaperProject.create(() => consoleOf([{ ...verdict, at: new Date().toISOString() }]), {
        dataplane,
      });
      undo(() => project.remove());
      await untilReady(host);
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
