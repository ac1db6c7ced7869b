import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Vault } from "../../../src/engine/embedded/secrets/vault.ts";
import { formatCheckpoint, openDeployment, parseCheckpoint } from "../../../src/engine/embedded/state/checkpoint.ts";
import { integrityProblem } from "../../../src/engine/embedded/state/integrity.ts";
import { Secret, someWithin } from "../../../src/engine/embedded/values/value.ts";

// Checkpoints that the official engine wrote; they are not part of the project.
const traces = fileURLToPath(new URL("../../../../shared/reference/traces/", import.meta.url));
const passphrase = "x";
const files = existsSync(traces)
  ? globSync(["**/checkpoint.json", "**/*.checkpoint.json", "backend-file/**/stacks/**/*.json"], { cwd: traces })
  : [];

const vaults = new Map<string, Promise<Vault>>();

describe.skipIf(files.length === 0)(
  "checkpoints of the official engine (skipped where its traces are not at hand)",
  () => {
    it.each(files)("%s is opened, found whole, and saved as it was", async (name) => {
      const parsed = JSON.parse(readFileSync(`${traces}${name}`, "utf8"));
      // `pulumi stack export` calls the checkpoint a deployment
      const text = JSON.stringify(
        parsed.deployment ? { version: 3, checkpoint: { latest: parsed.deployment } } : parsed,
      );
      const original = JSON.parse(text).checkpoint.latest;
      const file = parseCheckpoint(name, text);
      const salt = file.checkpoint.latest?.secrets_providers?.state?.salt ?? "";
      const opening = vaults.get(salt) ?? Vault.open(passphrase, salt);
      vaults.set(salt, opening);
      const vault = await opening;
      const deployment = openDeployment(file, vault);
      expect(integrityProblem(deployment.resources)).toBeUndefined();
      const saved = JSON.parse(formatCheckpoint("organization/trace/dev", deployment, vault)).checkpoint.latest;
      const { manifest: _, ...content } = original;
      const { manifest: __, ...written } = saved;
      expect(written).toEqual(content);
      const hasCiphertext = text.includes("ciphertext");
      const secrets = deployment.resources.filter(({ outputs, inputs }) =>
        someWithin({ outputs, inputs }, (part) => part instanceof Secret),
      );
      expect(secrets.length > 0).toBe(hasCiphertext);
    });
  },
);
