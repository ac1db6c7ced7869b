import { SlipwayError } from "../common/errors.ts";
import { cacheHome } from "../common/home.ts";
import { hostName } from "../components/host-contexts.ts";
import { type HostContext, renderHost } from "../contextualization/render.ts";
import { checkCloudConfigSchema } from "../contextualization/schema.ts";
import { type UserDataSizes, userDataSizes } from "../contextualization/size.ts";

/** What came of a check; one that fails is thrown. */
type CheckResult = { result: "passed" } | { result: "skipped"; reason: string };

/** A host's user-data with all that is known of it before it is sent. */
export interface HostUserData {
  /** The host's name in the cloud. */
  name: string;
  roles: string[];
  generation: string;
  /** What Nova is given. */
  userData: string;
  /** The `#cloud-config` document that cloud-init reads. */
  document: string;
  sizes: UserDataSizes;
  checks: Record<"schema" | "secrets" | "size", CheckResult>;
}

/**
 * Renders a host's user-data and checks it.
 * @throws SlipwayError E_TEMPLATE, also for what cloud-init's schema does not allow; E_USERDATA_SECRET, E_USERDATA_TOO_LARGE
 */
export async function hostUserData(context: HostContext, templateFolder: string): Promise<HostUserData> {
  const name = hostName(context);
  const { roles, generation } = context;
  const { document, userData } = renderHost(context, templateFolder);
  const passed = { result: "passed" } as const; // the render has refused what fails
  const checks = { schema: await schemaCheck(name, document), secrets: passed, size: passed };
  return { name, roles, generation, userData, document, sizes: userDataSizes(document), checks };
}

async function schemaCheck(name: string, document: string): Promise<CheckResult> {
  const verdict = await checkCloudConfigSchema(document, cacheHome());
  if ("skipped" in verdict) return { result: "skipped", reason: verdict.skipped };
  const [first, ...more] = verdict.errors;
  if (first === undefined) return { result: "passed" };
  throw new SlipwayError("E_TEMPLATE", `the user-data of ${name} is not what cloud-init's schema allows: ${first}`, {
    details: more,
    hint: "Correct the template in cloud-init/; the place is named as in JSON, below the document's root.",
  });
}
