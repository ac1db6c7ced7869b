import { SlipwayError } from "../common/errors.ts";

/** What a secret looks like. Names are shown to users, what matched never is. */
const patterns: { what: string; pattern: RegExp }[] = [
  { what: "a private key", pattern: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/ },
  {
    what: "a password",
    pattern: /\b\w*(?:password|passwd|passphrase)\b["']?\s*[:=]\s*["']?(?!["'\s]|null|true|false|\*|!|\$)\S{3,}/i,
  },
  { what: "a password", pattern: /\bchpasswd\b["']?\s*:/ },
  { what: "a password hash", pattern: /\$(?:1|2[aby]|5|6|y|argon2id?)\$[./A-Za-z0-9$=,]{8,}/ },
  { what: "a URL with a password", pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']+:[^\s/@"']+@/i },
  {
    what: "a token",
    pattern:
      /\b\w*(?:token|secret|api_?key|access_?key)\b["']?\s*[:=]\s*["']?(?!["'\s]|null|true|false|\$)[^\s"']{8,}/i,
  },
  { what: "a Keystone token", pattern: /\bgAAAAA[A-Za-z0-9_-]{20,}/ },
  { what: "a JSON web token", pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\./ },
  { what: "an access token", pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{16})\b/ },
  { what: "a temporary URL's signature", pattern: /[?&]temp_url_sig=/i },
];

/**
 * User-data can be read by every process of the guest and by whoever reaches its metadata: nothing secret may be in it.
 * @throws SlipwayError E_USERDATA_SECRET with line numbers and kinds, without the secret itself
 */
export function refuseSecrets(document: string): void {
  const found = document.split("\n").flatMap((line, index) => {
    const hit = patterns.find(({ pattern }) => pattern.test(line));
    return hit ? [`line ${index + 1}: ${hit.what}`] : [];
  });
  if (found.length === 0) return;
  throw new SlipwayError(
    "E_USERDATA_SECRET",
    `the rendered user-data holds ${found.length === 1 ? "a secret" : "secrets"}`,
    {
      hint: "Take it out of the cloud-init templates: make it on the host, or bring it there over SSH.",
      details: found,
    },
  );
}
