import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import type { CredentialsQuery } from "../../../src/openstack/cloud-source.ts";
import type { Credentials } from "../../../src/openstack/credentials.ts";

type DeepPartial<T> = { [K in keyof T]?: T[K] extends object | undefined ? DeepPartial<T[K]> : T[K] };

/** What a test says of the credentials that are found; the rest is not its subject. */
export type ExpectedCredentials = DeepPartial<Credentials>;

/** A machine to look for credentials on. `{folder}` in texts stands for the scratch folder, `{keystone}` for a Keystone's address. */
export interface Scenario {
  /** Files by path below the scratch folder: `home/…` is the user's, `work/…` the working directory. */
  files?: Record<string, unknown>;
  env?: Record<string, string>;
  /** `--os-cloud` */
  cloud?: string;
  /** The stack's file. */
  variables?: Record<string, string>;
  /** Files below the scratch folder that are asked last. */
  extra?: string[];
  /** The row of "Where Slipway differs from openstacksdk" that tells why openstacksdk finds or sends something else. */
  differs?: string;
}

/** The same with the scratch folder and Keystone's address in place. */
export function filledIn<T>(value: T, folder: string, keystone: string): T {
  return JSON.parse(JSON.stringify(value).replaceAll("{folder}", folder).replaceAll("{keystone}", keystone)) as T;
}

/** Makes the scenario's files in a scratch folder and answers what to ask {@link findCredentials}. */
export function prepared(scenario: Scenario, folder: string, keystone: string): CredentialsQuery & { cwd: string } {
  const { files = {}, env = {}, variables = {}, extra = [], cloud } = filledIn(scenario, folder, keystone);
  for (const home of ["home", "work"]) mkdirSync(join(folder, home), { recursive: true });
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === "string" ? content : textFor(path, content));
  }
  return {
    env: { HOME: join(folder, "home"), ...env },
    cwd: join(folder, "work"),
    variables,
    extraFiles: extra.map((file) => join(folder, file)),
    ...(cloud === undefined ? {} : { cloud }),
  };
}

function textFor(path: string, content: unknown): string {
  return path.endsWith("json") ? JSON.stringify(content) : stringify(content);
}
