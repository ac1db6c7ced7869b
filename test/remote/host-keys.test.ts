import fc from "fast-check";
import { expect, it } from "vitest";
import { fingerprintOf, type HostKey, hostKeysOnConsole } from "../../src/remote/host-keys.ts";
import { makeKeyPair } from "../../src/remote/key-pair.ts";

const keys = Array.from({ length: 3 }, () => {
  const [type = "", base64 = ""] = makeKeyPair().public.split(" ");
  return { type, base64 };
});
const [first, second, third] = keys as [HostKey, HostKey, HostKey];

/** What cloud-init writes, with the prefixes that syslog puts before some of it. */
function consoleOf(...keys: HostKey[]): string {
  const log = "<14>Nov 25 14:49:01 cloud-init:";
  const fingerprints = keys.map(({ base64 }) => fingerprintOf(Buffer.from(base64, "base64")));
  return [
    `${log} -----BEGIN SSH HOST KEY FINGERPRINTS-----`,
    ...fingerprints.map((fingerprint) => `${log} 256 ${fingerprint} root@server-g1 (ED25519)`),
    `${log} -----END SSH HOST KEY FINGERPRINTS-----`,
    "-----BEGIN SSH HOST KEY KEYS-----",
    ...keys.map(({ type, base64 }) => `${type} ${base64} root@server-g1`),
    "-----END SSH HOST KEY KEYS-----",
    "[   80.3] cloud-init[410]: Cloud-init v. 22.4.2 finished",
    "",
  ].join("\r\n");
}

it("reads the keys that cloud-init wrote", () => {
  expect(hostKeysOnConsole(`[   79.1] cloud-init[410]: running 'modules:final'\n${consoleOf(...keys)}`)).toEqual(keys);
});

it("takes the newest whole block: a server that was rebuilt prints again", () => {
  const torn = consoleOf(third).slice(0, -150);
  expect(hostKeysOnConsole(consoleOf(first) + consoleOf(second) + torn)).toEqual([second]);
  expect(hostKeysOnConsole(torn)).toEqual([]);
});

it("gives no key that is not a host's, whatever tears the lines", () => {
  const whole = consoleOf(...keys);
  const known = keys.map(({ base64 }) => base64);
  const noise = fc.tuple(fc.nat(whole.length), fc.nat(3), fc.string({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 6 }), (noises) => {
      let console = whole;
      for (const [place, lost, text] of noises) console = console.slice(0, place) + text + console.slice(place + lost);
      expect(hostKeysOnConsole(console).filter(({ base64 }) => !known.includes(base64))).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});
