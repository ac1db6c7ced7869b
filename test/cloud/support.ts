import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CloudOptions, type RunningCloud, startCloud } from "../../src/cloud/cloud.ts";
import type { Login } from "../../src/cloud/credentials.ts";
import { FakeHypervisor } from "../../src/cloud/hypervisors/fake.ts";

/** An answer, read whole. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, looked into with matchers
  body: any;
}

interface Request {
  body?: unknown;
  headers?: Record<string, string>;
  token?: string;
}

/** A cloud in this process on a folder of its own, with the bare HTTP that a client would send. */
export class TestCloud {
  readonly stateDir: string;
  readonly options: Partial<CloudOptions>;
  cloud: RunningCloud;
  /** A token of the demo user. */
  token = "";
  /** Its project. */
  projectId = "";

  private constructor(stateDir: string, options: Partial<CloudOptions>, cloud: RunningCloud) {
    this.stateDir = stateDir;
    this.options = options;
    this.cloud = cloud;
  }

  static async start(options: Partial<CloudOptions> = {}): Promise<TestCloud> {
    const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), "slipway-cloud-")));
    const test = new TestCloud(stateDir, options, await TestCloud.#boot(stateDir, options));
    await test.logIn();
    return test;
  }

  static #boot(stateDir: string, options: Partial<CloudOptions>): Promise<RunningCloud> {
    const images = [{ name: "debian-13", path: null, minDiskGb: 1 }];
    return startCloud({ stateDir, hypervisor: new FakeHypervisor(), images, ...options });
  }

  /** Stops the cloud and starts it again on the same state. */
  async restart(change: Partial<CloudOptions> = {}): Promise<void> {
    await this.cloud.close();
    this.cloud = await TestCloud.#boot(this.stateDir, { ...this.options, ...change });
  }

  async remove(): Promise<void> {
    await this.cloud.close();
    await rm(this.stateDir, { recursive: true, force: true });
  }

  get base(): string {
    return `http://127.0.0.1:${this.cloud.port}`;
  }

  async logIn(): Promise<void> {
    const answer = await this.authenticate(this.cloud.credentials.demo);
    this.token = answer.headers.get("x-subject-token") ?? "";
    this.projectId = answer.body.token.project.id;
  }

  /** A token of the administrator. */
  async adminToken(): Promise<string> {
    return (await this.authenticate(this.cloud.credentials.admin)).headers.get("x-subject-token") ?? "";
  }

  /** A member of a project of its own: its token, and the project's id. */
  async stranger(name: string): Promise<{ token: string; projectId: string }> {
    const identity = { token: await this.adminToken() };
    const v3 = "/identity/v3";
    const { project } = (await this.post(`${v3}/projects`, { project: { name } }, identity)).body;
    const { user } = (await this.post(`${v3}/users`, { user: { name, password: name } }, identity)).body;
    const [role] = (await this.get(`${v3}/roles?name=member`, identity)).body.roles;
    await this.put(`${v3}/projects/${project.id}/users/${user.id}/roles/${role.id}`, undefined, identity);
    const answer = await this.authenticate({ username: name, password: name, projectName: name });
    return { token: answer.headers.get("x-subject-token") ?? "", projectId: project.id };
  }

  authenticate(login: Login, scope?: unknown): Promise<Answer> {
    const user = { name: login.username, password: login.password, domain: { name: "Default" } };
    const project = { project: { name: login.projectName, domain: { id: "default" } } };
    const identity = { methods: ["password"], password: { user } };
    return this.post("/identity/v3/auth/tokens", { auth: { identity, scope: scope ?? project } });
  }

  async request(
    method: string,
    path: string,
    { body, headers = {}, token = this.token }: Request = {},
  ): Promise<Answer> {
    const isText = typeof body === "string";
    const answer = await fetch(this.base + path, {
      method,
      headers: {
        ...(token === "" ? {} : { "x-auth-token": token }),
        ...(body === undefined || isText ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: isJson && text !== "" ? JSON.parse(text) : undefined,
    };
  }

  get = (path: string, options?: Request) => this.request("GET", path, options);
  post = (path: string, body: unknown, options?: Request) => this.request("POST", path, { ...options, body });
  put = (path: string, body?: unknown, options?: Request) => this.request("PUT", path, { ...options, body });
  delete = (path: string, options?: Request) => this.request("DELETE", path, options);

  /** Makes a Neutron resource and returns it; throws what the cloud said when it did not. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async make(kind: string, fields: Record<string, unknown>, token?: string): Promise<any> {
    const path = `/network/v2.0/${kind.replaceAll("_", "-")}s`;
    const answer = await this.post(path, { [kind]: fields }, token === undefined ? {} : { token });
    if (answer.status !== 201) throw new Error(`${kind}: ${answer.status} ${answer.text}`);
    return answer.body[kind];
  }

  /** The network `public`. */
  async externalNetworkId(): Promise<string> {
    return (await this.get("/network/v2.0/networks?name=public")).body.networks[0].id;
  }

  /** A network with one subnet and a router between it and the external network. */
  async routedNetwork(cidr = "10.1.0.0/24") {
    const network = await this.make("network", { name: "net" });
    const subnet = await this.make("subnet", { network_id: network.id, ip_version: 4, cidr });
    const router = await this.make("router", { external_gateway_info: { network_id: await this.externalNetworkId() } });
    const added = await this.put(`/network/v2.0/routers/${router.id}/add_router_interface`, { subnet_id: subnet.id });
    if (added.status !== 200) throw new Error(added.text);
    return { network, subnet, router, interfacePortId: added.body.port_id as string };
  }

  /** The body of a server create with image and flavor filled in. */
  async serverBody(fields: Record<string, unknown>): Promise<{ server: Record<string, unknown> }> {
    const { images } = (await this.get("/image/v2/images?name=debian-13")).body;
    const { flavors } = (await this.get("/compute/v2.1/flavors")).body;
    return { server: { name: "web", imageRef: images[0].id, flavorRef: flavors[0].id, ...fields } };
  }

  /** Creates a server and waits until nothing is being done any more. */
  async bootServer(fields: Record<string, unknown>, hints?: Record<string, unknown>, minor = 1) {
    const body = {
      ...(await this.serverBody(fields)),
      ...(hints === undefined ? {} : { "os:scheduler_hints": hints }),
    };
    const headers = { "openstack-api-version": `compute 2.${minor}` };
    const created = await this.post("/compute/v2.1/servers", body, { headers });
    if (created.status !== 202) throw new Error(created.text);
    await this.cloud.idle();
    return this.server(created.body.server.id);
  }

  async server(id: string, microversion?: string) {
    const headers: Record<string, string> =
      microversion === undefined ? {} : { "x-openstack-nova-api-version": microversion };
    return (await this.get(`/compute/v2.1/servers/${id}`, { headers })).body.server;
  }
}
