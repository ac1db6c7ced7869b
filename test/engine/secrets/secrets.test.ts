import { describe, expect, it } from "vitest";
import { decryptText, encryptText, keyOf, newSalt } from "../../../src/engine/embedded/secrets/passphrase.ts";
import { Redactor } from "../../../src/engine/embedded/secrets/redactor.ts";
import { Vault } from "../../../src/engine/embedded/secrets/vault.ts";
import { Secret, type ValueMap } from "../../../src/engine/embedded/values/value.ts";
import { unknown } from "../../../src/engine/resource-provider.ts";

// Derived once: a million rounds of PBKDF2 take a third of a second.
const made = await newSalt("correct horse");

describe("passphrase secrets", () => {
  it("open with the passphrase they were made with, and no other", async () => {
    expect(await keyOf("correct horse", made.salt)).toEqual(made.key);
    await expect(keyOf("battery staple", made.salt)).rejects.toMatchObject({ code: "E_PASSPHRASE_WRONG" });
    await expect(keyOf("correct horse", "v2:something")).rejects.toMatchObject({ code: "E_STATE_DAMAGED" });
  });

  it("have Pulumi's form", () => {
    const [version, nonce = "", box = ""] = encryptText(made.key, "four").split(":");
    expect(version).toBe("v1");
    expect(Buffer.from(nonce, "base64")).toHaveLength(12);
    expect(Buffer.from(box, "base64")).toHaveLength(4 + 16);
  });

  it("are refused when they were changed", () => {
    const sealed = encryptText(made.key, "text");
    expect(decryptText(made.key, sealed)).toBe("text");
    const [version, nonce, box = ""] = sealed.split(":");
    const bytes = Buffer.from(box, "base64");
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    expect(() => decryptText(made.key, `${version}:${nonce}:${bytes.toString("base64")}`)).toThrow();
    expect(() => decryptText(made.key, "v1:AA==:AA==")).toThrow("too short");
  });

  it("keep their ciphertext while they do not change", async () => {
    const vault = await Vault.open("correct horse", made.salt);
    const sealed = encryptText(made.key, '"pw"');
    expect(vault.decrypt(sealed, "a")).toBe('"pw"');
    expect(vault.encrypt('"pw"', "a")).toBe(sealed);
    expect(vault.encrypt('"pw"', "b")).not.toBe(sealed);
    expect(vault.encrypt('"new"', "a")).not.toBe(sealed);
  });
});

// Sealed by `pulumi` 3.248.0 with the passphrase "x": configuration holds the text itself, state its JSON.
describe("what the official engine sealed", () => {
  const salt = "v1:9Y/BL+WjkdQ=:v1:81/LY2JHZJ7lzXAH:lgYBKTf+FoNcpDGXt1Ct6ydPI/wQ2g==";

  it("is opened", async () => {
    const key = await keyOf("x", salt);
    expect(decryptText(key, "v1:A+SrKYqI1hRWFinp:0sgnX39ZSQh66Emq0JSJTmpq3Oc=")).toBe("hush");
    expect(decryptText(key, "v1:qGJegEb3f+Vc3blP:RXjnxzPGhLZCcJGEqzlZ+BKmNDb+zA==")).toBe('"hush"');
    expect(decryptText(key, "v1:cvXO4kpEYQqmzQo6:e62GyAo9BQzlQkSx1I/r+Pp8")).toBe('""');
  });

  it("stays shut for another passphrase", async () => {
    await expect(keyOf("", salt)).rejects.toMatchObject({ code: "E_PASSPHRASE_WRONG" });
  });
});

describe("redaction", () => {
  it("blanks learnt secrets wherever they stand, the longest first", () => {
    const redactor = new Redactor();
    redactor.learn({
      a: [Secret.of({ b: "pass" })],
      c: Secret.of("password-1"),
      d: "open",
      e: Secret.of('with "quotes"'),
      f: Secret.of({ within: Secret.of("inner one") }),
    });
    expect(redactor.clean("the inner one")).toBe("the [secret]");
    expect(redactor.clean("password-1 pass open")).toBe("[secret] [secret] open");
    expect(redactor.clean(JSON.stringify({ x: 'with "quotes"' }))).toBe('{"x":"[secret]"}');
  });

  it("blanks each longer line of a secret by itself, as a program prints it", () => {
    const redactor = new Redactor();
    redactor.learn(Secret.of("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\nend\n"));
    expect(redactor.clean("key: MC4CAQAwBQYDK2VwBCIEIA==")).toBe("key: [secret]");
    expect(redactor.clean("the end")).toBe("the end");
  });

  it("masks values as events show them, in order, and every text that holds a secret", () => {
    const redactor = new Redactor();
    const values: ValueMap = {
      b: unknown,
      a: Secret.of("hush-hush"),
      c: [true, 'say "hush-hush"'],
      d: { "key-hush-hush": 1 },
    };
    redactor.learn(values);
    expect(JSON.stringify(redactor.mask(values))).toBe(
      JSON.stringify({
        a: { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "[secret]" },
        b: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        c: [true, 'say "[secret]"'],
        d: { "key-[secret]": 1 },
      }),
    );
  });
});
