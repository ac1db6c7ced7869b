import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOf, hexOf } from "../../../src/common/digest.ts";
import { cacheHome } from "../../../src/common/home.ts";
import { run } from "../../../src/common/process.ts";

/**
 * A guest's first process. It does of cloud-init what the test looks at: the config drive's address, its user-data as a script. It serves
 * its host name over HTTP, runs what it is asked to, and powers off when the button is pressed.
 */
const init = String.raw`#!/bin/sh
export PATH=/bin
busybox mount -t proc proc /proc
busybox --install -s /bin
mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for m in $(cat /modules.list); do insmod /modules/$m.ko; done
mkdir -p /config /www/cgi-bin /etc/acpi/PWRF /var/log /var/run
for try in 1 2 3 4 5 6 7 8 9; do mount -t iso9660 -o ro /dev/sr0 /config && break; sleep 1; done
latest=/config/openstack/latest
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$2"; }
hostname "$(field hostname $latest/meta_data.json)"
ifconfig lo up
ifconfig eth0 "$(field ip_address $latest/network_data.json)" netmask 255.255.255.0 up
route add default gw "$(field gateway $latest/network_data.json)"
count=$(dd if=/dev/vda bs=512 skip=200000 count=1 2>/dev/null | tr -d '\0'); count=$((count + 1))
printf %s "$count" | dd of=/dev/vda bs=512 seek=200000 conv=notrunc 2>/dev/null; sync
echo "boot $count of $(hostname)"
printf '#!/bin/sh\necho powers off > /dev/console\npoweroff -f\n' > /etc/acpi/PWRF/00000080; chmod 755 /etc/acpi/PWRF/00000080
acpid
hostname > /www/index.html
printf '#!/bin/sh\nprintf "content-type: text/plain\\r\\n\\r\\n"; eval "$(httpd -d "$QUERY_STRING")" 2>&1\n' > /www/cgi-bin/run
chmod 755 /www/cgi-bin/run
httpd -p 80 -h /www
[ ! -e $latest/user_data ] || sh $latest/user_data
while :; do sleep 3600; done
`;

const packages = ["busybox-static", "syslinux", "syslinux-common", "mtools"];

/** The order in which they are loaded. */
const modules =
  "button evdev virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net " +
  "scsi_common scsi_mod virtio_scsi cdrom sr_mod isofs";

/** Makes the raw disk (its first argument) of Debian's kernel and packages; nobody needs to be root for it. */
const build = String.raw`set -eu
out=$1; cd "$2"
kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ { print $2; exit }')
apt-get -q download "$kernel" ${packages.join(" ")} 2>&1
for deb in *.deb; do dpkg-deb -x "$deb" x; done
mkdir -p r/bin r/modules r/proc r/sys r/dev
cp x/bin/busybox r/bin/; ln -s busybox r/bin/sh; cp init r/init; chmod 755 r/init
echo ${modules} > r/modules.list
for m in ${modules}; do find x/lib/modules -name "$m.ko" -exec cp {} r/modules/ ';'; done
(cd r && find . > ../names && ../x/bin/busybox cpio -o -H newc < ../names > ../cpio)
gzip -1 < cpio > initrd
truncate -s 48M disk
export PATH="$PWD/x/usr/bin:$PATH" MTOOLS_SKIP_CHECK=1
mformat -i disk -v PROBE -h 16 -s 63 -t 97 ::
printf 'DEFAULT l\nLABEL l\n LINUX vmlinuz\n INITRD initrd\n APPEND console=ttyS0 quiet tsc=unstable\n' > syslinux.cfg
mcopy -i disk x/boot/vmlinuz-* ::vmlinuz
mcopy -i disk initrd syslinux.cfg ::
syslinux -i disk
mv disk "$out"
`;

/** A disk that boots in seconds even by software emulation: Debian's cloud kernel and BusyBox. Built once, some seconds. */
export async function smallMachine(): Promise<string> {
  const image = join(cacheHome(process.env), "test-machines", `${hexOf(digestOf(init + build))}.raw`);
  if (
    await access(image).then(
      () => true,
      () => false,
    )
  )
    return image;
  await mkdir(dirname(image), { recursive: true });
  const folder = await mkdtemp(`${image}.`);
  try {
    await run("sh", ["-c", 'cat > "$1/init"', "sh", folder], { input: init });
    await run("sh", ["-c", build, "build", join(folder, "made"), folder], { timeoutMs: 120_000 });
    await rename(join(folder, "made"), image);
    return image;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
