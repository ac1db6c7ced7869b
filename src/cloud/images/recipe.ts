import { type Digest, digestOf } from "../../common/digest.ts";

/** Which image: the usual one, or one whose guests can run containers. */
export type ImageKind = "usual" | "containers";

/** Names under which guest images are registered in Glance. */
export const guestImageNames: Record<ImageKind, string> = { usual: "debian-13", containers: "debian-13-containers" };

/** A Debian archive that the machine's own apt is configured for. */
export interface DebianMirror {
  archive: string;
  /** The archive of security updates, where one is configured. */
  security?: string;
}

const suite = "trixie";

/** Why each: systemd and cloud-init make it a cloud image, the rest is what roles and their bootstrap expect to find. */
const packages = [
  "systemd",
  "systemd-sysv",
  "systemd-resolved",
  "dbus",
  "cloud-init",
  "netplan.io",
  "iproute2",
  "iputils-ping",
  "openssh-server",
  "sudo",
  "curl",
  "ca-certificates",
  "openssl",
  "procps",
  "e2fsprogs",
  "python3",
  "valkey-server",
  "git",
  "zstd",
];

/** Documentation and translations: 150 MB that no guest reads. Copyright files stay, licences ask for them. */
const dpkgOptions = [
  "force-unsafe-io",
  "path-exclude=/usr/share/man/*",
  "path-exclude=/usr/share/locale/*",
  "path-exclude=/usr/share/doc/*",
  "path-include=/usr/share/doc/*/copyright",
];

/**
 * Container guests find their NIC by its MAC, which a veth reports as its current and not as its permanent address, so netplan must
 * render for networkd. The only metadata source is the config drive: without the list cloud-init would look for HTTP ones for minutes.
 */
const cloudConfig = `datasource_list: [ConfigDrive, None]
system_info:
  network:
    renderers: [networkd]
manage_etc_hosts: localhost
ssh_genkeytypes: [ed25519]
growpart: {mode: "off"}
resize_rootfs: false
apt: {preserve_sources_list: true}
`;

/** Where a guest finds which disks it has: what of sysfs tells of them, as `block` and `dev-block`. */
export const guestDisksFolder = "var/lib/guest-disks";

/**
 * What a virtual machine has by its kernel and udev. Containers see all of the machine's disks in sysfs, so the guest's own are laid over
 * them; nodes are made of what is found there; and the disks in fstab are mounted, which systemd in a container leaves out.
 */
const guestDisksScript = `#!/bin/sh
cd /${guestDisksFolder} || exit 0
mount --bind block /sys/block
mount --bind block /sys/class/block
mount --bind dev-block /sys/dev/block
for link in dev-block/*; do
  [ -L "$link" ] || continue
  numbers=\${link##*/} node=/dev/$(basename "$(readlink "$link")")
  [ -e "$node" ] || mknod -m 660 "$node" b "\${numbers%:*}" "\${numbers#*:}"
  chgrp disk "$node"
done
mount --all || true
`;

const guestDisksUnit = `[Unit]
Description=The guest's own disks
DefaultDependencies=no
Before=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/guest-disks

[Install]
WantedBy=local-fs.target
`;

/** Units that wake an idle guest, or that would put a login prompt on a console that only cloud-init and the kernel write to. */
const maskedUnits = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "fstrim.timer",
  "console-getty.service",
];

/** What an installation leaves in a tree. */
const leavings = `rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt
`;

/** Shell script that turns the installed tree (its first argument) into an image: no identity, no keys, nothing that runs by itself. */
export function customizeScript(): string {
  return `set -eu
root=$1
cat > "$root/etc/cloud/cloud.cfg.d/90-guest.cfg" <<'END'
${cloudConfig}END
cat > "$root/etc/systemd/system/guest-disks.service" <<'END'
${guestDisksUnit}END
cat > "$root/usr/lib/guest-disks" <<'END'
${guestDisksScript}END
chmod 755 "$root/usr/lib/guest-disks"
chroot "$root" systemctl -q enable systemd-networkd.service systemd-resolved.service ssh.service guest-disks.service
chroot "$root" systemctl -q disable valkey-server.service
chroot "$root" systemctl -q mask ${maskedUnits.join(" ")}
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
${leavings}`;
}

/** Where a guest that runs containers keeps them: a folder of the machine, since the kernel puts no overlay upon the guest's own. */
export const containersFolder = "var/lib/containers";

/** Podman, what runs its containers, what makes their network, and what reads compose files. */
const containerPackages = ["podman", "crun", "netavark", "nftables", "podman-compose"];

/**
 * What Podman must leave alone in a guest that is a container itself: cgroups, whose controllers are the machine's, the kernel's keyring,
 * and limits above the guest's own.
 */
const containersConfig = `[containers]
cgroups = "disabled"
keyring = false
pids_limit = 0
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
`;

/**
 * Shell script that makes the image whose guests run containers, in a tree (its second argument), of the usual image (its first): a few
 * seconds, where another whole image would take a minute.
 */
export const containersScript = `set -eu
base=$1 root=$2
apt() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -q -y -o Acquire::Retries=3 "$@"; }
cp --archive --reflink=auto "$base" "$root"
rm "$root/etc/resolv.conf"
[ ! -e /etc/resolv.conf ] || cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
apt update
apt install --no-install-recommends ${containerPackages.join(" ")}
rm "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/${containersFolder}" "$root/etc/containers/containers.conf.d"
cat > "$root/etc/containers/containers.conf.d/guest.conf" <<'END'
${containersConfig}END
chroot "$root" systemctl -q mask podman-auto-update.timer podman.socket podman-clean-transient.service
${leavings}`;

/** The arguments of the mmdebstrap run that makes the image's tree in `target`. Pure: same mirror, same arguments. */
export function mmdebstrapArguments(mirror: DebianMirror, target: string, keyring?: string): string[] {
  const source = (uri: string, release: string) =>
    `deb ${keyring ? `[signed-by=${keyring}] ` : ""}${uri} ${release} main`;
  return [
    "--mode=root",
    "--format=directory",
    "--variant=minbase",
    `--include=${packages.join(",")}`,
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Acquire::Retries "3"',
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    `--customize-hook=${customizeScript()}`,
    suite,
    target,
    source(mirror.archive, suite),
    source(mirror.archive, `${suite}-updates`),
    ...(mirror.security === undefined ? [] : [source(mirror.security, `${suite}-security`)]),
  ];
}

/** What names the built image in the cache: a changed recipe is another image, another mirror is not. */
export function recipeDigest(kind: ImageKind = "usual"): Digest {
  const usual = JSON.stringify(mmdebstrapArguments({ archive: "ARCHIVE", security: "SECURITY" }, "TARGET"));
  return digestOf(kind === "usual" ? usual : usual + containersScript);
}
