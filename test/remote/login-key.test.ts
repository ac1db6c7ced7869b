import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ensureLoginKey } from "../../src/remote/login-key.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const hasKeygen = spawnSync("ssh-keygen", ["-?"]).error === undefined;

it("is made once, for its owner alone, also by runs at once", async () => {
  const home = temporaryFolder();
  const lines = await Promise.all(Array.from({ length: 5 }, () => ensureLoginKey(home)));
  expect(new Set(lines).size).toBe(1);
  expect(await ensureLoginKey(home)).toBe(lines[0]);
  expect(statSync(join(home, "id_ed25519")).mode & 0o777).toBe(0o600);
});

it.skipIf(!hasKeygen)("has the public half that OpenSSH derives, also where that was lost", async () => {
  const home = temporaryFolder();
  const line = await ensureLoginKey(home);
  rmSync(join(home, "id_ed25519.pub"));
  expect(await ensureLoginKey(home)).toBe(line);
  expect(readFileSync(join(home, "id_ed25519.pub"), "utf8")).toBe(`${line}\n`);
  const derived = execFileSync("ssh-keygen", ["-y", "-f", join(home, "id_ed25519")], { encoding: "utf8" });
  expect(derived.trim()).toBe(line);
});
