import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hostMirror } from "../../../src/cloud/images/mirror.ts";
import { digestOf, hexOf } from "../../../src/common/digest.ts";
import { pathExists } from "../../../src/common/files.ts";
import { cacheHome } from "../../../src/common/home.ts";
import { run } from "../../../src/common/process.ts";

const suite = "trixie";

/** What Debian's genericcloud has, as far as a guest notices; and the services that a stack's host needs, since it can fetch none. */
const packages = [
  ...["linux-image-cloud-amd64", "initramfs-tools", "grub-pc-bin", "grub-common", "systemd-sysv", "systemd-resolved"],
  ...["dbus", "udev", "cloud-init", "cloud-guest-utils", "fdisk", "netplan.io", "openssh-server", "sudo", "e2fsprogs"],
  ...["iproute2", "iputils-ping", "procps", "curl", "ca-certificates", "openssl", "python3"],
  ...["valkey-server", "git", "zstd"],
];

const rootUuid = "5f0c2d0e-6d1f-4b7e-9a53-2f6b8d0a7c11";
const partUuid = "9a1b6c2e-0f37-4c4d-8f0b-3f5a1e7d9b21";
const rootStart = 8192;
const diskSectors = (2 * 1024 ** 3) / 512;
const rootSectors = diskSectors - rootStart - 2048;

/** The files that make an installed tree (its first argument) Debian's cloud image: its mounts, its boot menu, its settings of cloud-init. */
const customize = String.raw`set -eu
root=$1
printf 'PARTUUID=${partUuid} / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\n' > "$root/etc/fstab"
printf 'manage_etc_hosts: true\n' > "$root/etc/cloud/cloud.cfg.d/01_debian_cloud.cfg"
kernel=$(cd "$root/boot" && echo vmlinuz-*)
mkdir -p "$root/boot/grub"
cat > "$root/boot/grub/grub.cfg" <<END
set timeout=0
search --no-floppy --fs-uuid --set=root ${rootUuid}
linux /boot/$kernel root=PARTUUID=${partUuid} ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0
initrd /boot/initrd.img-$(echo "$kernel" | cut -d- -f2-)
boot
END
chroot "$root" grub-mkimage -O i386-pc -p '(hd0,gpt1)/boot/grub' -o /core.img biosdisk part_gpt ext2 normal linux boot search search_fs_uuid gzio configfile
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/boot.img"
chroot "$root" systemctl -q enable systemd-networkd.service systemd-resolved.service ssh.service
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf" "$root/var/lib/dbus/machine-id"
echo localhost > "$root/etc/hostname"
: > "$root/etc/machine-id"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
`;

/** Makes the disk (its first argument) of a tree `tree` that mmdebstrap makes by its further arguments, in the folder where it runs. */
const build = String.raw`set -eu
out=$1; shift
mmdebstrap "$@"
mv tree/core.img tree/boot.img .
[ "$(stat -c %s core.img)" -le $((6144 * 512)) ]
mke2fs -q -t ext4 -d tree -U ${rootUuid} root ${rootSectors / 2}k
truncate -s ${diskSectors * 512} disk
sfdisk -q disk <<END
label: gpt
disk14 : start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649
disk1 : start=${rootStart}, size=${rootSectors}, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=${partUuid}
END
# what grub-install writes: where the loader lies into the first sector, and where its second sector lies into its first
printf '\000\010\000\000\000\000\000\000' | dd of=boot.img bs=1 seek=$((0x5c)) conv=notrunc status=none
printf '\001\010\000\000\000\000\000\000' | dd of=core.img bs=1 seek=$((0x1f4)) conv=notrunc status=none
dd if=boot.img of=disk bs=1 count=440 conv=notrunc status=none
dd if=core.img of=disk bs=512 seek=2048 conv=notrunc status=none
dd if=root of=disk bs=1M seek=${(rootStart * 512) / 1024 ** 2} conv=notrunc,sparse status=none
qemu-img convert -f raw -O qcow2 disk "$out"
`;

/** Builds an image (its first argument) in a folder by a script, unless another has meanwhile. */
const inFolder = `set -eu
image=$1 folder=$2 script=$3; shift 3
[ ! -e "$image" ] || exit 0
rm -rf --one-file-system "$folder"
mkdir "$folder"
cd "$folder"
sh -c "$script" build "$folder/made" "$@"
mv made "$image"
cd /
rm -rf --one-file-system "$folder"
`;

/**
 * An ordinary cloud image, qcow2: a disk as Debian's genericcloud has it (GPT with a BIOS boot loader, the cloud kernel, ext4 that grows,
 * cloud-init that looks for all data sources), made of Debian's packages. Built once, some minutes; the machine's own root does it.
 */
export async function ordinaryImage(): Promise<string> {
  const recipe = hexOf(digestOf(JSON.stringify([suite, packages, customize, build])));
  const image = join(cacheHome(process.env), "test-machines", `${recipe}.qcow2`);
  if (await pathExists(image)) return image;
  const folder = `${image}.building`;
  await mkdir(dirname(image), { recursive: true });
  const { archive, security } = await hostMirror();
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const signed = (await pathExists(keyring)) ? `[signed-by=${keyring}] ` : "";
  const options = [
    ...["--mode=root", "--format=directory", "--variant=minbase", `--include=${packages.join(",")}`],
    ...['--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "3"', "--dpkgopt=force-unsafe-io"],
    ...["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*"],
    `--customize-hook=${customize}`,
    ...[suite, "tree", `deb ${signed}${archive} ${suite} main`],
    ...(security === undefined ? [] : [`deb ${signed}${security} ${suite}-security main`]),
  ];
  // the kernel forgets the lock and the mounts of a build that is killed
  const alone = ["--exclusive", `${image}.lock`, "unshare", "--mount", "--propagation", "private"];
  await run("flock", [...alone, "sh", "-c", inFolder, "build", image, folder, build, ...options], {
    timeoutMs: 15 * 60_000,
    env: {
      ...process.env,
      PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
      LC_ALL: "C.UTF-8",
      DEBIAN_FRONTEND: "noninteractive",
    },
  });
  return image;
}
