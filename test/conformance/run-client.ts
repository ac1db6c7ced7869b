import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { newPassword } from "../../src/cloud/identity/passwords.ts";
import { startCloudProxy } from "../support/cloud-proxy.ts";
import { normalised, ownPrefix } from "./comparison/normalise.ts";
import { type Call, Recorder } from "./comparison/recorder.ts";
import { listenForAnnouncements } from "./site/announcements.ts";
import type { Site } from "./site/site.ts";
import { createTenant, removeTenant } from "./site/tenant.ts";

/** What a client is run with. */
export interface Surroundings {
  /** Its environment: where clouds.yaml is, with the entries {@link userEntry} and {@link adminEntry}, and the user's one as default. */
  env: Record<string, string>;
  /** A folder of the run's own, gone after it, with the files `key.pub`, `user-data` and `content`. */
  folder: string;
  login: { authUrl: string; username: string; password: string; projectName: string };
  imageId: string;
  offersObjects: boolean;
  /** Resolves when the cloud is at rest; what passes from then on belongs to the call. */
  begin(name: string): Promise<void>;
  end(outcome: string): void;
  /** The same for programs, see `Announcements`. */
  announceTo: string;
}

/** A client of OpenStack that is made by others, and what it is led through. */
export interface Client {
  name: string;
  /** Installs it. */
  ensure(): Promise<{ version: string } | { reason: string }>;
  /** Leads it through its calls. */
  run(surroundings: Surroundings): Promise<void>;
}

/** The entries of clouds.yaml. */
const userEntry = ownPrefix;
export const adminEntry = `${ownPrefix}-admin`;

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFsy4pfSj1LWSygEwLmdyrlpXc7/43TtK7GQ3Uktrm75 tour\n";

/**
 * Leads a client through its calls on a cloud, in a project of its own there.
 * @returns what was asked and answered, comparable with what another cloud answers
 */
export async function callsOf(client: Client, site: Site): Promise<Call[]> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-conformance-client-"));
  const recorder = new Recorder();
  const proxy = await startCloudProxy(site.upstreams, {
    answered: (call, answer) => recorder.answered(call, answer),
  });
  const password = newPassword();
  try {
    const { projectId, imageId } = await createTenant(site, password);
    const begin = async (name: string) => {
      recorder.end("");
      const { changed } = recorder;
      if (changed.length > 0) await site.settled(projectId, changed);
      recorder.begin(name);
    };
    const end = (outcome: string) => recorder.end(outcome);
    const announcements = await listenForAnnouncements({ begin, end });
    try {
      await writeFile(join(folder, "key.pub"), publicKey);
      await writeFile(join(folder, "user-data"), "#cloud-config\n");
      await writeFile(join(folder, "content"), "content\n");
      await writeFile(join(folder, "clouds.yaml"), await cloudsYaml(site, proxy.authUrl, password), { mode: 0o600 });
      await client.run({
        env: { ...environment(), OS_CLIENT_CONFIG_FILE: join(folder, "clouds.yaml"), OS_CLOUD: userEntry },
        ...{ folder, imageId, begin, end, announceTo: announcements.url },
        login: { authUrl: proxy.authUrl, username: ownPrefix, password, projectName: ownPrefix },
        offersObjects: await site.admin.offers("object-store"),
      });
    } finally {
      await announcements.close();
    }
    return normalised(recorder.calls);
  } finally {
    if (site.lasts) await removeTenant(site);
    await proxy.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Nothing of the machine's own clouds, and nothing that would lead a client to another address. */
function environment(): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  return { PATH, HOME, PYTHONWARNINGS: "ignore" };
}

async function cloudsYaml(site: Site, authUrl: string, password: string): Promise<string> {
  const entry = (username: string, userPassword: string) => ({
    auth: {
      ...{ auth_url: authUrl, username, password: userPassword, project_name: username },
      ...{ user_domain_name: "Default", project_domain_name: "Default" },
    },
    region_name: "RegionOne",
    interface: "public",
    identity_api_version: 3,
  });
  const { username, password: adminPassword } = site.adminLogin;
  return stringify({
    clouds: { [userEntry]: entry(ownPrefix, password), [adminEntry]: entry(username, adminPassword) },
  });
}
