import { spawn } from "node:child_process";
import { access, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, hexOf } from "../../common/digest.ts";
import { SlipwayError } from "../../common/errors.ts";
import { cacheHome } from "../../common/home.ts";
import { hostMirror } from "./mirror.ts";
import { containersScript, guestImageNames, type ImageKind, mmdebstrapArguments, recipeDigest } from "./recipe.ts";

/** The image that real guests are made from. */
export interface GuestImage {
  name: string;
  /** Digest of the recipe that it was built by. */
  digest: Digest;
  /** Folder that holds the tree; never written to, guests mount it as the lower layer of an overlay. */
  rootfs: string;
  sizeBytes: number;
}

interface Options {
  kind?: ImageKind;
  /** Receives progress, one line at a time. */
  log?: (line: string) => void;
  env?: NodeJS.ProcessEnv;
}

const buildTimeoutMs = 15 * 60_000;

/** Debian's archive keys where the package keeps them; without the file apt's own trusted keys decide. */
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Runs with the build lock held by the kernel for this shell and its children: whoever waited finds the image done; what a killed build
 * left is removed (after its mounts); the finished tree appears by one rename.
 * Arguments: the image's folder, then the command that makes `$1.building/rootfs`.
 */
const buildScript = `set -eu
image=$1; shift
[ ! -e "$image/size" ] || exit 0
umount_below() { awk -v p="$1/" 'index($5, p) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r m; do umount -l "$m"; done; }
for stale in "\${image%/*}"/*.building; do [ ! -e "$stale" ] || { umount_below "$stale"; rm -rf --one-file-system "$stale"; }; done
rm -rf "$image"
mkdir -p "$image.building"
"$@"
du -s --block-size=1 --one-file-system "$image.building/rootfs" | cut -f1 > "$image.building/size"
sync -f "$image.building"
mv -T "$image.building" "$image"
`;

/**
 * The guest image, built where the cache has none of this recipe (about a minute) and found there otherwise. Several processes may ask
 * at once; a build that was killed starts over.
 * @throws SlipwayError E_HOST_PACKAGES with the build's last lines when it fails
 */
export async function ensureGuestImage({
  kind = "usual",
  log = () => undefined,
  env = process.env,
}: Options = {}): Promise<GuestImage> {
  const digest = recipeDigest(kind);
  const folder = join(cacheHome(env), "images", hexOf(digest));
  if (!(await exists(join(folder, "size")))) await build(folder, kind, log, env);
  const sizeBytes = Number(await readFile(join(folder, "size"), "utf8"));
  return { name: guestImageNames[kind], digest, rootfs: join(folder, "rootfs"), sizeBytes };
}

async function build(
  folder: string,
  kind: ImageKind,
  log: (line: string) => void,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const tree = `${folder}.building/rootfs`;
  const command = kind === "usual" ? await usualBuild(tree, env) : await containersBuild(tree, log, env);
  await mkdir(dirname(folder), { recursive: true });
  log(`building the guest image ${guestImageNames[kind]} from this machine's Debian mirror (about a minute, once)`);
  const lock = join(dirname(folder), ".lock");
  const wait = ["--exclusive", "--wait", String(buildTimeoutMs / 1000), lock];
  await runLogged("flock", [...wait, "sh", "-c", buildScript, "build-image", folder, ...command], log);
}

async function usualBuild(tree: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const keys = (await exists(keyring)) ? keyring : undefined;
  return ["mmdebstrap", ...mmdebstrapArguments(await hostMirror(env), tree, keys)];
}

/** Upon the usual image, which is built first where it is not there. */
async function containersBuild(tree: string, log: (line: string) => void, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { rootfs } = await ensureGuestImage({ log, env });
  return ["sh", "-c", containersScript, "containers-image", rootfs, tree];
}

/** Like `run`, but passes each line on as it comes, for a command that takes a minute. */
function runLogged(command: string, args: string[], log: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: buildTimeoutMs,
      env: { ...process.env, LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive" },
    });
    const tail: string[] = [];
    const take = (chunk: Buffer) => {
      for (const line of chunk.toString("utf8").split(/[\r\n]+/)) {
        if (line.trim() === "") continue;
        tail.push(line);
        if (tail.length > 15) tail.shift();
        if (/^[IWE]: /.test(line)) log(line.slice(3));
      }
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", reject);
    child.on("close", (status, signal) => {
      if (status === 0) return resolve();
      reject(
        new SlipwayError(
          "E_HOST_PACKAGES",
          `the guest image could not be built: ${signal ?? `exit status ${status}`}`,
          {
            hint: "Read the last lines below; `apt-get update` on this machine must work.",
            details: tail,
          },
        ),
      );
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
