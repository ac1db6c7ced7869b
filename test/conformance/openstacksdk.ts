import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { CredentialsQuery } from "../../src/openstack/cloud-source.ts";

/**
 * Asks openstacksdk what it finds; for each question a process of its own loads it anew, since it reads folders and variables then.
 * One JSON question in, one JSON answer out. What it has found it logs in with, where that is on this machine.
 */
const driver = `
import importlib, json, os, sys, warnings
import keystoneauth1.loading, keystoneauth1.session, platformdirs
from openstack.config import loader
warnings.simplefilter("ignore")
for method in ("password", "token", "v3password", "v3token", "v3applicationcredential"):
    keystoneauth1.loading.get_plugin_loader(method)

def answer(question):
    importlib.reload(loader)
    paths = loader.CONFIG_FILES
    try:
        cloud = loader.OpenStackConfig().get_one(cloud=question.get("cloud"), region_name=question.get("region"))
        verify, cert = cloud.get_requests_verify_args()
        cert, key = (cert, None) if isinstance(cert, str) else cert or (None, None)
        read = lambda path: None if path is None else open(path).read()
        found = {
            "region": cloud.get_region_name(),
            "interface": cloud.get_interface(),
            "verify": verify is not False,
            "ca": read(verify if isinstance(verify, str) else None),
            "cert": read(cert),
            "key": read(key or cert),
        }
        auth_url = cloud.get_auth_args()["auth_url"]
        if auth_url.startswith("http://127.0.0.1:"):
            session = keystoneauth1.session.Session()
            cloud.get_auth().get_access(session)
        return {"paths": paths, "found": {**found, "authUrl": auth_url}}
    except BaseException as problem:
        return {"paths": paths, "refused": f"{type(problem).__name__}: {problem}"}

for line in sys.stdin:
    question = json.loads(line)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.chdir(question["cwd"])
        os.environ.clear()
        os.environ.update(question["env"])
        sys.stderr = open(os.devnull, "w")
        os.write(write_end, json.dumps(answer(question)).encode() + b"\\n")
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        print(told.readline().strip(), flush=True)
    os.waitpid(child, 0)
`;

/** What openstacksdk found, in words like those of our credentials; or its refusal. */
export interface SdkAnswer {
  /** Where it looks for clouds.yaml. */
  paths: string[];
  found?: {
    authUrl: string;
    region: string | null;
    interface: string | string[];
    verify: boolean;
    ca: string | null;
    cert: string | null;
    key: string | null;
  };
  refused?: string;
}

/** A running openstacksdk. */
export class OpenstackSdk {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(python: string) {
    this.#child = spawn(python, ["-c", driver], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#child.stdout === null) throw new Error("no output");
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** One at a time. */
  async ask({ env = {}, cwd = "", cloud, variables = {} }: CredentialsQuery): Promise<SdkAnswer> {
    const { PATH = "" } = process.env;
    const { region } = variables;
    this.#child.stdin?.write(`${JSON.stringify({ env: { PATH, ...env }, cwd, cloud, region })}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error("openstacksdk ended");
    return JSON.parse(answer.value) as SdkAnswer;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin?.end();
    await ended;
  }
}
