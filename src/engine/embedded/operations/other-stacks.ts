import { SlipwayError } from "../../../common/errors.ts";
import type { StackReference } from "../../engine.ts";
import type { OtherStacks } from "../deployment/other-stacks.ts";
import { Vault } from "../secrets/vault.ts";
import { organization, type StackPaths, stackPaths } from "../state/backend.ts";
import { type CheckpointJson, openDeployment } from "../state/checkpoint.ts";
import { stackType } from "../urn.ts";
import type { SecretCodec } from "../values/state-json.ts";
import { mapValues, type ValueMap } from "../values/value.ts";
import { readState } from "./stack-files.ts";

/** The stacks of the same backend. Their secrets are opened with this stack's passphrase. */
export function otherStacks(stack: StackReference): OtherStacks {
  return {
    async outputs(name) {
      const json = await read(stack, name);
      const { codec, elided } = await codecOf(stack, json);
      const root = openDeployment(json, codec).resources.find((state) => state.type === stackType);
      return { outputs: root?.outputs ?? {}, elided: elided() };
    },
    async resources(name) {
      const json = await read(stack, name);
      const { codec } = await codecOf(stack, json);
      const live = openDeployment(json, codec).resources.filter((state) => !state.delete);
      return Object.fromEntries(
        live.map(({ urn, type, outputs }): [string, ValueMap] => [
          urn,
          { type, outputs: mapValues(outputs, (value) => value) },
        ]),
      );
    },
  };
}

async function read(stack: StackReference, name: string): Promise<CheckpointJson> {
  const paths = pathsOf(stack, name);
  const json = await readState({ paths });
  if (json === undefined) {
    throw new SlipwayError("E_STACK_UNKNOWN", `unknown stack "${name}": ${paths.checkpoint} is not there`, {
      hint: "Name it as organization/<project>/<stack>, or bring it up first.",
    });
  }
  return json;
}

/** `stack`, `organization/stack` or `organization/project/stack` (pulumi/pulumi, pkg/backend/diy/store.go, ParseReference). */
function pathsOf({ backendUrl, project }: StackReference, name: string): StackPaths {
  const parts = name.split("/");
  const [organizationName = organization, projectName = project, stackName = ""] =
    parts.length === 1
      ? [undefined, undefined, parts[0]]
      : parts.length === 2
        ? [parts[0], undefined, parts[1]]
        : parts;
  const isName = (text: string) => /^[A-Za-z0-9_.-]{1,100}$/.test(text) && !/^\.+$/.test(text);
  if (parts.length > 3 || organizationName !== organization || !isName(projectName) || !isName(stackName)) {
    throw new SlipwayError("E_STACK_UNKNOWN", `"${name}" is no name of a stack in this backend`, {
      hint: `Name it as ${organization}/<project>/<stack>.`,
    });
  }
  return stackPaths(backendUrl, projectName, stackName);
}

/** Opens secrets; where the passphrase is another one they come out empty, as with the official engine. */
async function codecOf(
  { passphrase }: StackReference,
  json: CheckpointJson,
): Promise<{ codec: SecretCodec; elided: () => boolean }> {
  const salt = json.checkpoint.latest?.secrets_providers?.state?.salt;
  const holdsSecrets = JSON.stringify(json.checkpoint.latest?.resources ?? []).includes('"ciphertext"');
  if (salt === undefined || !holdsSecrets) return { codec: closed(() => undefined), elided: () => false };
  try {
    return { codec: await Vault.open(passphrase, salt), elided: () => false };
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== "E_PASSPHRASE_WRONG") throw error;
    let elided = false;
    const note = () => {
      elided = true;
    };
    return { codec: closed(note), elided: () => elided };
  }
}

function closed(note: () => void): SecretCodec {
  return {
    encrypt: () => {
      throw new Error("another stack's secrets are not written");
    },
    decrypt: () => {
      note();
      return "{}";
    },
  };
}
