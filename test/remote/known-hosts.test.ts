import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fingerprintOf } from "../../src/remote/host-keys.ts";
import { forgetHostKeys, knownHostKeys, knownName, pinHostKeys } from "../../src/remote/known-hosts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const key = { type: "ssh-ed25519", base64: "AAAAC3NzaC1lZDI1NTE5AAAAIDRURAM9/+t0M+whmBj9xu5pK6oiZuBtr0L9VsC1kH0h" };
const other = { type: "ssh-ed25519", base64: "AAAAC3NzaC1lZDI1NTE5AAAAIEK643o4sSYw8HM23/fJ1kGhQIQ/GwlRR+U/Y0Y8nRzv" };
const fileWith = (text: string) => {
  const file = join(temporaryFolder(), "known_hosts");
  writeFileSync(file, text);
  return file;
};

it("pins a name's keys, and forgets them alone", async () => {
  const file = join(temporaryFolder(), "known_hosts");
  expect(await knownHostKeys(file, "id-1")).toEqual([]);
  await pinHostKeys(file, "id-1", [key]);
  await pinHostKeys(file, "id-2", [other]);
  expect(await knownHostKeys(file, "id-1")).toEqual([key]);
  await pinHostKeys(file, "id-1", [other]);
  expect(await knownHostKeys(file, "id-1")).toEqual([other]);
  await forgetHostKeys(file, "id-1");
  expect(await knownHostKeys(file, "id-1")).toEqual([]);
  expect(await knownHostKeys(file, "id-2")).toEqual([other]);
});

describe("a file that OpenSSH wrote", () => {
  it("is read with lists of names, ports, comments and marked lines", async () => {
    const line = `${key.type} ${key.base64}`;
    const file = fileWith(
      `# ${line}\n@revoked bastion ${line}\n@cert-authority *.lab ${line}\nbastion,192.0.2.7 ${line} me@here\n[bastion]:2222 ${other.type} ${other.base64}\n\n`,
    );
    expect(await knownHostKeys(file, knownName("bastion", 22))).toEqual([key]);
    expect(await knownHostKeys(file, knownName("192.0.2.7", 22))).toEqual([key]);
    expect(await knownHostKeys(file, knownName("bastion", 2222))).toEqual([other]);
    expect(await knownHostKeys(file, knownName("elsewhere", 22))).toEqual([]);
  });

  // made by `ssh-keygen -H`
  it("is read with hashed names", async () => {
    const file = fileWith(`|1|YrOL0funiTWZgBAIAoWSitioVnw=|Yefk9h4+1d+Hp7/Cvw7Dk40k22g= ssh-ed25519 ${key.base64}\n`);
    expect(await knownHostKeys(file, "bastion")).toEqual([key]);
    expect(await knownHostKeys(file, "other")).toEqual([]);
  });
});

it("shows fingerprints as `ssh-keygen -l` does", () => {
  expect(fingerprintOf(Buffer.from(key.base64, "base64"))).toBe("SHA256:uyKIIthQmi1bZuCkVcKFDXJ1V8t2D7UpgQx0K9yj4w0");
});
