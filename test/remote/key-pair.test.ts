import ssh2 from "ssh2";
import { expect, it } from "vitest";
import { makeKeyPair } from "../../src/remote/key-pair.ts";

it("makes keys that can be read, each of them", () => {
  for (let made = 0; made < 2000; made++) {
    const { private: secret, public: line } = makeKeyPair();
    const key = ssh2.utils.parseKey(secret);
    expect(key).not.toBeInstanceOf(Error);
    expect((key as ssh2.ParsedKey).getPublicSSH().toString("base64")).toBe(line.split(" ")[1]);
  }
});
