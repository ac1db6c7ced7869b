import ssh2 from "ssh2";

/** ssh2 writes about one Ed25519 key in 300 so that nobody can read it, itself included. */
const ATTEMPTS = 20;

/** A new Ed25519 key pair in OpenSSH's form. */
export function makeKeyPair(comment = "slipway"): { private: string; public: string } {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
  throw new Error(`ssh2 made ${ATTEMPTS} key pairs that it cannot read itself`);
}
