import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { renderHostUserData } from "../../src/contextualization/render.ts";
import { refuseSecrets } from "../../src/contextualization/secrets.ts";
import { fitUserData, USER_DATA_LIMIT } from "../../src/contextualization/size.ts";
import { hostContext } from "./context.ts";

describe("refuseSecrets", () => {
  const key = (kind: string) => `-----BEGIN ${kind}PRIVATE KEY-----`;
  it.each([
    [key(""), "a private key"],
    [key("OPENSSH "), "a private key"],
    ["password: hunter22", "a password"],
    ['{"db_password":"hunter22"}', "a password"],
    ["chpasswd: {list: [a:b]}", "a password"],
    ["  passwd: $6$abcdefgh$0123456789", "a password hash"],
    ["echo debian:$6$abcdefgh$0123456789 > x", "a password hash"],
    ["curl https://user:pa55@host/x", "a URL with a password"],
    ["api_key=0123456789", "a token"],
    [`X-Auth: gAAAAA${"b".repeat(30)}`, "a Keystone token"],
    [`ghp_${"a".repeat(36)}`, "an access token"],
    ["http://s/v1/a/c/o?temp_url_sig=1&x", "a temporary URL's signature"],
  ])("finds %s", (line, what) => {
    expect(() => refuseSecrets(`#cloud-config\n${line}\n`)).toThrow(
      expect.objectContaining({ code: "E_USERDATA_SECRET", details: [`line 2: ${what}`] }),
    );
  });

  it("does not repeat the secret", () => {
    try {
      refuseSecrets("password: hunter22");
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify(error) + String(error)).not.toContain("hunter22");
    }
  });

  it.each([
    "ssh_pwauth: false",
    "passwordFile: ",
    "lock_passwd: true",
    "password: null",
    "token=$TOKEN",
    "git@host:path",
  ])("leaves %s alone", (line) => {
    expect(() => refuseSecrets(line)).not.toThrow();
  });

  it("is applied to what is rendered", () => {
    expect(() => renderHostUserData({ ...hostContext, sourceUrl: "https://u:pa55@host/c" })).toThrow(
      expect.objectContaining({ code: "E_USERDATA_SECRET" }),
    );
  });
});

describe("fitUserData", () => {
  it("leaves alone what fits", () => {
    const text = "x".repeat((USER_DATA_LIMIT * 3) / 4 - 3);
    expect(fitUserData(text, [])).toBe(text);
  });

  it("packs what fits only packed", () => {
    const text = "x".repeat(100_000);
    expect(gunzipSync(Buffer.from(fitUserData(text, []), "base64")).toString()).toBe(text);
  });

  it("refuses what does not fit at all, the biggest part first", () => {
    const big = randomBytes(50_000).toString("hex");
    const parts = [
      { name: "small", text: "x" },
      { name: "big", text: big },
    ];
    expect(() => fitUserData(`x${big}`, parts)).toThrow(
      expect.objectContaining({
        code: "E_USERDATA_TOO_LARGE",
        details: ["big: 100000 bytes before compression", "small: 1 bytes before compression"],
      }),
    );
  });
});
