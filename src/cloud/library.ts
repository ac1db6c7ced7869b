import { mkdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../common/errors.ts";
import { writeFileAtomic } from "../common/files.ts";
import { chooseHypervisor } from "./choose-hypervisor.ts";
import { type RunningCloud, startCloud as start } from "./cloud.ts";
import { usualEntry, withCloudEntries } from "./clouds-yaml.ts";
import { daemonFiles, removeDaemonInfo, writeDaemonInfo } from "./daemon-info.ts";
import { markOf } from "./hypervisors/nspawn/processes.ts";
import { defaultDomain } from "./identity/accounts.ts";
import { region } from "./identity/catalog.ts";
import { imageKinds } from "./images/kinds.ts";
import type { Cloud, CloudOptions, CloudUser, startCloud as Contract } from "./library-contract.d.ts";
import { offerOf, pretendedGuests } from "./offer.ts";
import { takeState } from "./take-state.ts";
import { makeTemporaryState, removeTemporaryState } from "./temporary-state.ts";

/**
 * Starts an OpenStack in this process, for tests.
 * @throws SlipwayError E_LOCKED while another process runs a cloud on the same state, E_PORT_IN_USE, E_HOST_PACKAGES where real guests cannot
 * run, E_UNSUPPORTED for a state with guests of another kind
 */
export const startCloud: typeof Contract = async (options = {}) => {
  const isTemporary = options.stateDir === undefined;
  const stateDir = await realpath(await ensureFolder(options.stateDir ?? (await makeTemporaryState())));
  let cloud: RunningCloud | undefined;
  const endNow = async () => {
    if (cloud !== undefined) await removeDaemonInfo(stateDir);
    await cloud?.close();
    if (isTemporary) await removeTemporaryState(stateDir);
  };
  let ended: Promise<void> | undefined;
  const end = () => {
    ended ??= endNow(); // once: another cloud may have the state by the next time
    return ended;
  };
  try {
    const { chosen, parts } = await partsOf(stateDir, options);
    cloud = await start(parts);
    await writeDaemonInfo(stateDir, {
      ...((await markOf(process.pid)) ?? { pid: process.pid }),
      ...{ isProgram: true, authUrl: cloud.authUrl, port: cloud.port, instance: cloud.instance },
      ...chosen,
      images: (parts.images ?? []).map(({ name }) => name),
      ...{ egress: "none", startedAt: new Date().toISOString() },
    });
    return await faceOf(cloud, chosen.hypervisor, join(stateDir, "clouds.yaml"), end);
  } catch (error) {
    await end().catch((failure: unknown) => options.log?.(`what it began is not all gone: ${messageOf(failure)}`));
    throw error;
  }
};

async function ensureFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}

/** What the cloud is started with, its state's lock taken. */
async function partsOf(stateDir: string, options: CloudOptions) {
  const { hypervisor: wanted = "fake", bootMs, log = () => undefined, port, tokenLifetimeMs, vendorData } = options;
  const lock = await takeState(stateDir);
  try {
    const chosen = await chooseHypervisor(stateDir, wanted);
    const kinds = await imageKinds(stateDir);
    const offered =
      chosen.hypervisor === "fake" ? pretendedGuests(kinds, bootMs) : await offerOf(chosen, kinds, log, "none");
    await writeFileAtomic(daemonFiles(stateDir).hypervisor, `${JSON.stringify(chosen)}\n`);
    const given = {
      ...(port === undefined ? {} : { port }),
      ...(tokenLifetimeMs === undefined ? {} : { tokenLifetimeMs }),
      ...(vendorData === undefined ? {} : { vendorData }),
    };
    return { chosen, parts: { stateDir, lock, log, ...given, ...offered } };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function faceOf(
  cloud: RunningCloud,
  hypervisor: Cloud["hypervisor"],
  cloudsFile: string,
  close: () => Promise<void>,
): Promise<Cloud> {
  const { authUrl, port, credentials, faults, clock } = cloud;
  await writeFileAtomic(cloudsFile, withCloudEntries(undefined, authUrl, credentials, usualEntry));
  return {
    ...{ authUrl, port, hypervisor, credentials, cloudsFile, faults, clock, close },
    env: (user = "demo") => variablesOf(cloud, user),
    idle: () => cloud.idle(),
    [Symbol.asyncDispose]: close,
  };
}

function variablesOf({ authUrl, credentials }: RunningCloud, user: CloudUser): Record<string, string> {
  const { username, password, projectName } = credentials[user];
  return {
    OS_AUTH_URL: authUrl,
    OS_IDENTITY_API_VERSION: "3",
    OS_USERNAME: username,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: projectName,
    OS_USER_DOMAIN_NAME: defaultDomain.name,
    OS_PROJECT_DOMAIN_NAME: defaultDomain.name,
    OS_REGION_NAME: region,
  };
}
