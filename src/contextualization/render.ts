import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { mergeCloudConfigs, parseCloudConfig } from "./merge.ts";
import { refuseSecrets } from "./secrets.ts";
import { fitUserData } from "./size.ts";
import { TemplateFolder } from "./templates.ts";

/** What a host's user-data is made of; nothing in it changes from run to run. */
export interface HostContext {
  stack: string;
  /** The host's name in the stack without its generation, e.g. `server`. */
  host: string;
  /** e.g. `g1`. */
  generation: string;
  /** Template names, e.g. `frontend`, `queue`, `worker`, `runtime`. */
  roles: string[];
  /** Base URL of the stack's publication, without a slash at its end. */
  sourceUrl: string;
  /** The stack's Ed25519 key as base64 of SPKI DER. */
  publicKey: string;
  /** TCP port of the HTTP frontend. */
  frontendPort: number;
}

/** A host's user-data. */
export interface RenderedHost {
  /** The `#cloud-config` document. */
  document: string;
  /** What Nova is given: the document, or the form of it that fits. */
  userData: string;
}

const templateFolder = fileURLToPath(new URL("../../cloud-init", import.meta.url));

/** What Nova is given for a host, see {@link renderHost}. */
export function renderHostUserData(context: HostContext, folder?: string): string {
  return renderHost(context, folder).userData;
}

/**
 * The `#cloud-config` user-data of a host: the templates of its roles and the host template, merged into one document.
 * Pure: the same context and templates give the same bytes.
 * @throws SlipwayError E_TEMPLATE, E_USERDATA_SECRET, E_USERDATA_TOO_LARGE
 */
export function renderHost(context: HostContext, folder: string = templateFolder): RenderedHost {
  const templates = new TemplateFolder(folder);
  const { stack, host, generation, sourceUrl, publicKey, frontendPort } = context;
  const variables = { identity: { schemaVersion: 1, stack, host, generation, sourceUrl, publicKey }, frontendPort };
  // the host template starts the bootstrap: it comes last, so that the roles' settings are there
  const parts = [...new Set(context.roles)]
    .sort()
    .concat("host")
    .map((template) => {
      const text = templates.render(template, variables);
      return { template, text, config: parseCloudConfig(template, text) };
    });
  // YAML 1.1 is what cloud-init reads: "yes" or "0644" must come out quoted
  const body = stringify(mergeCloudConfigs(parts), { version: "1.1", lineWidth: 0, aliasDuplicateObjects: false });
  const document = `#cloud-config\n${body}`;
  refuseSecrets(document);
  const named = parts.map(({ template, text }) => ({ name: `cloud-init/${template}.yaml.hbs`, text }));
  return { document, userData: fitUserData(document, named) };
}
