import type { Smoke } from "./smoke.ts";

/** One step: what is done, and what the answer must be. */
export interface Step {
  name: string;
  /** An `openstack` command line with `{placeholders}`, or something else that is done. */
  command: string | ((smoke: Smoke) => Promise<string>);
  /** The answer, trimmed: this very text, or a pattern; with placeholders too. */
  answer: string | RegExp;
  /** Asked again for this many milliseconds until the answer is right; absent: the first answer counts. */
  untilMs?: number;
  /** The placeholder that later commands find the answer under. */
  keep?: string;
}

const uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const nothing = "";
const anId = new RegExp(`^${uuid}$`);

/** A server's whole life, as a user of python-openstackclient leads it. Each step needs the ones before it. */
export const steps: Step[] = [
  {
    name: "a token",
    command: "token issue -f value -c expires",
    answer: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+0000|Z)$/,
  },
  { name: "the image", command: "image list -f value -c Name -c Status", answer: /^{image} active$/m },
  { name: "the flavor", command: "flavor list -f value -c Name -c RAM -c Disk", answer: /^{flavor} \d+ \d+$/m },
  { name: "its processors", command: "flavor show {flavor} -f value -c vcpus", answer: /^\d+$/, keep: "vcpus" },
  {
    name: "a keypair",
    command: "keypair create --public-key {publicKey} {name} -f value -c fingerprint",
    answer: /^{fingerprint}$/,
  },
  {
    name: "a network, with an MTU",
    command: "network create {name} -f value -c id -c mtu",
    answer: new RegExp(`^${uuid}\\n(1[2-9]\\d\\d|[2-9]\\d\\d\\d)$`),
  },
  {
    name: "a subnet",
    command:
      "subnet create --network {name} --subnet-range 10.77.0.0/24 --dns-nameserver 10.77.0.2 {name} -f value -c cidr",
    answer: "10.77.0.0/24",
  },
  { name: "a router", command: "router create {name} -f value -c id", answer: anId },
  {
    name: "the router's gateway",
    command: "router set --external-gateway {external} {name}",
    answer: nothing,
  },
  { name: "the router in the subnet", command: "router add subnet {name} {name}", answer: nothing },
  { name: "a security group", command: "security group create {name} -f value -c id", answer: anId },
  {
    name: "a rule for ssh",
    command: "security group rule create --proto tcp --dst-port 22 {name} -f value -c id",
    answer: anId,
  },
  {
    name: "a rule for the page",
    command: "security group rule create --proto tcp --dst-port 8088 {name} -f value -c id",
    answer: anId,
  },
  {
    name: "a rule for ping",
    command: "security group rule create --proto icmp {name} -f value -c id -c protocol",
    answer: new RegExp(`^${uuid}\\nicmp$`),
  },
  {
    name: "a port",
    command: "port create --network {name} --security-group {name} {name} -f value -c id -c status",
    answer: new RegExp(`^${uuid}\\n(DOWN|ACTIVE)$`),
  },
  { name: "the port again", command: "port show {name} -f value -c id", answer: anId, keep: "port" },
  {
    name: "a server",
    command:
      "server create --flavor {flavor} --image {image} --key-name {name} --nic port-id={port} --user-data {userData} --wait {name} -f value -c status",
    answer: "ACTIVE",
  },
  {
    name: "a floating IP",
    command: "floating ip create {external} -f value -c floating_ip_address",
    answer: /^\d+\.\d+\.\d+\.\d+$/,
    keep: "address",
  },
  {
    name: "the floating IP, free",
    command: 'floating ip list -f value -c "Floating IP Address" -c Port',
    answer: /^{address} None$/m,
  },
  { name: "the floating IP on the server", command: "server add floating ip {name} {address}", answer: nothing },
  {
    name: "the server with it",
    command: "server show {name} -f value -c addresses -c status",
    answer: /'10\.77\.0\.\d+', '{address}'[\s\S]*ACTIVE/,
    untilMs: 60_000, // a large cloud's Nova hears of it later
  },
  {
    name: "the guest's page at its floating IP, made by user-data",
    command: (smoke) => smoke.page(8088),
    answer: "hello from the guest",
    untilMs: 240_000,
  },
  {
    name: "a login with the keypair, the host key pinned from the console log",
    command: (smoke) =>
      smoke.ssh("hostname; cloud-init query platform; cloud-init status --long; df -P / | tail -1; nproc; uname -r"),
    answer: /^{name}\n(openstack|configdrive)\nstatus: done\n[\s\S]*^\S+ .* \d+% \/\n{vcpus}\n\d+\.\d+\S*$/m,
    untilMs: 90_000,
  },
  {
    name: "the page at a port that no rule opens, in the guest",
    command: (smoke) =>
      smoke.ssh(`python3 -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:6380/").read().decode())'`),
    answer: "hello from the guest",
    untilMs: 30_000,
  },
  {
    name: "that port, closed to the outside",
    command: (smoke) => smoke.connect(6380),
    answer: "timed out",
  },
  { name: "a volume", command: "volume create --size 1 {name} -f value -c size", answer: "1" },
  {
    name: "the volume, available",
    command: "volume show {name} -f value -c status",
    answer: "available",
    untilMs: 60_000,
  },
  {
    name: "the volume in the server",
    command: "server add volume {name} {name} -f value -c Device",
    answer: "/dev/vdb",
  },
  { name: "the volume, in use", command: "volume show {name} -f value -c status", answer: "in-use", untilMs: 60_000 },
  {
    name: "the disk in the guest",
    command: (smoke) => smoke.ssh("lsblk -dno NAME,SIZE /dev/vdb"),
    answer: /^vdb +1G$/,
    untilMs: 30_000,
  },
  {
    name: "a file system on the disk",
    command: (smoke) =>
      smoke.ssh(
        "sudo sh -ec 'mkfs.ext4 -q /dev/vdb; mount /dev/vdb /mnt; echo kept > /mnt/file; cat /mnt/file; umount /mnt'",
      ),
    answer: "kept",
  },
  { name: "the volume out of the server", command: "server remove volume {name} {name}", answer: nothing },
  {
    name: "the volume, available again",
    command: "volume show {name} -f value -c status",
    answer: "available",
    untilMs: 60_000,
  },
  {
    name: "no disk in the guest",
    command: (smoke) => smoke.ssh("test -e /dev/vdb && echo there || echo gone"),
    answer: "gone",
    untilMs: 30_000,
  },
  { name: "no volume any more", command: "volume delete {name}", answer: nothing },
  {
    name: "the end of the console log",
    command: "console log show {name} --lines 3",
    answer: /^([^\n]*\n){1,3}[^\n]*$/,
  },
  { name: "the server told to stop", command: "server stop {name}", answer: nothing },
  {
    name: "the server, stopped",
    command: "server show {name} -f value -c status",
    answer: "SHUTOFF",
    untilMs: 120_000,
  },
  { name: "the server told to start", command: "server start {name}", answer: nothing },
  { name: "the server, started", command: "server show {name} -f value -c status", answer: "ACTIVE", untilMs: 60_000 },
  { name: "the floating IP off the server", command: "server remove floating ip {name} {address}", answer: nothing },
  { name: "no floating IP", command: "floating ip delete {address}", answer: nothing },
  { name: "no server", command: "server delete --wait {name}", answer: nothing },
  { name: "no port", command: "port delete {name}", answer: nothing },
  { name: "the router out of the subnet", command: "router remove subnet {name} {name}", answer: nothing },
  { name: "no router", command: "router delete {name}", answer: nothing },
  { name: "no network", command: "network delete {name}", answer: nothing },
  { name: "no security group", command: "security group delete {name}", answer: nothing },
  { name: "no keypair", command: "keypair delete {name}", answer: nothing },
  ...["server", "port", "router", "network", "subnet", "security group", "keypair", "volume"].map((kind) => ({
    name: `no ${kind} in the list`,
    command: `${kind} list -f value -c Name`,
    answer: /^(?![\s\S]*{name})/,
    untilMs: 30_000,
  })),
];

/** What the steps above made, undone on a cloud where they failed in between; what is not there is passed over. */
export const undo = [
  "server delete --wait {name}",
  "volume delete {name}",
  "floating ip delete {address}",
  "port delete {name}",
  "router remove subnet {name} {name}",
  "router delete {name}",
  "network delete {name}",
  "security group delete {name}",
  "keypair delete {name}",
];
