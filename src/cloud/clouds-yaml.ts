import { parseDocument } from "yaml";
import type { Credentials, Login } from "./credentials.ts";
import { defaultDomain } from "./identity/accounts.ts";
import { region } from "./identity/catalog.ts";

/** The names of the embedded cloud in clouds.yaml: the user that stacks are made by, and the administrator. */
const cloudNames = { demo: "slipway", admin: "slipway-admin" } as const;

/** A clouds.yaml with the embedded cloud's two entries; what else `existing` holds stays, comments too. */
export function withCloudEntries(existing: string | undefined, authUrl: string, credentials: Credentials): string {
  const document = parseDocument(existing?.trim() ? existing : "");
  if (!document.has("clouds")) document.set("clouds", document.createNode({}));
  document.setIn(["clouds", cloudNames.demo], document.createNode(entryOf(authUrl, credentials.demo)));
  document.setIn(["clouds", cloudNames.admin], document.createNode(entryOf(authUrl, credentials.admin)));
  return document.toString();
}

function entryOf(authUrl: string, login: Login): unknown {
  return {
    auth: {
      auth_url: authUrl,
      username: login.username,
      password: login.password,
      project_name: login.projectName,
      user_domain_name: defaultDomain.name,
      project_domain_name: defaultDomain.name,
    },
    region_name: region,
    identity_api_version: 3,
    interface: "public",
  };
}
