import { lookup } from "../../common/lookup.ts";
import { nova } from "./errors.ts";

/** What an extra spec's value has to be; any text where nothing is said. */
type Rule =
  | { is: "integer"; least?: number; most?: number }
  | { is: "boolean" }
  | { is: "one"; of: string[] }
  /** `told` is the pattern in Nova's own words, where that is another one. */
  | { is: "text"; pattern?: string; told?: string };

const whole = (least?: number, most?: number): Rule => ({
  is: "integer",
  ...(least === undefined ? {} : { least }),
  ...(most === undefined ? {} : { most }),
});
const boolean: Rule = { is: "boolean" };
const one = (...of: string[]): Rule => ({ is: "one", of });
const text = (pattern?: string, told = pattern): Rule => ({
  is: "text",
  ...(pattern === undefined ? {} : { pattern }),
  ...(told === undefined ? {} : { told }),
});
const all = (prefix: string, names: string[], rule: Rule) =>
  Object.fromEntries(names.map((name) => [`${prefix}${name}`, rule]));

// the languages of Nova's expressions, whose own repetitions of repetitions take for ever over a text that almost fits
const mask = "\\^?\\d+(-\\d+|,\\^?\\d+)*";
const cpus = text(mask, "\\^?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*");
const disk = [
  "read_bytes_sec",
  "read_iops_sec",
  "write_bytes_sec",
  "write_iops_sec",
  "total_bytes_sec",
  "total_iops_sec",
];
const shared = (what: string) => ["cpu", "memory", "disk_io", "vif"].map((kind) => `${kind}_${what}`);
const traffic = ["average", "peak", "burst"].flatMap((name) => [`inbound_${name}`, `outbound_${name}`]);

/** The extra specs that Nova knows, of the Zed release (`nova/api/validation/extra_specs`). */
const known = lookup<Rule>({
  "accel:device_profile": text(),
  hide_hypervisor_id: boolean,
  group_policy: one("isolate", "none"),
  ...all("capabilities:", ["id", "uuid", "service_id", "host", "vcpus", "memory_mb", "local_gb"], text()),
  ...all("capabilities:", ["vcpus_used", "memory_mb_used", "local_gb_used", "hypervisor_type"], text()),
  ...all("capabilities:", ["hypervisor_version", "hypervisor_hostname", "free_ram_mb", "free_disk_gb"], text()),
  ...all("capabilities:", ["current_workload", "running_vms", "disk_available_least", "host_ip", "mapped"], text()),
  ...all("capabilities:", ["cpu_allocation_ratio", "ram_allocation_ratio", "disk_allocation_ratio"], text()),
  ...all("capabilities:", ["total_usable_ram_mb", "total_usable_disk_gb", "disk_mb_used", "free_disk_mb"], text()),
  ...all("capabilities:", ["vcpus_total", "num_instances", "num_io_ops", "failed_builds", "aggregates"], text()),
  ...all("capabilities:", ["cell_uuid", "updated"], text()),
  ...all(
    "hw:",
    ["cpu_realtime", "hide_hypervisor_id", "locked_memory", "boot_menu", "vif_multiqueue_enabled"],
    boolean,
  ),
  ...all("hw:", ["mem_encryption", "pmu", "ephemeral_encryption"], boolean),
  "hw:cpu_realtime_mask": text(mask, "(\\^)?\\d+((-\\d+)?(,\\^?\\d+(-\\d+)?)?)*"),
  "hw:cpu_policy": one("dedicated", "shared", "mixed"),
  "hw:cpu_thread_policy": one("prefer", "isolate", "require"),
  "hw:emulator_threads_policy": one("isolate", "share"),
  "hw:cpu_dedicated_mask": cpus,
  "hw:mem_page_size": text("(large|small|any|\\d+([kKMGT]i?)?(b|bit|B)?)"),
  "hw:numa_nodes": whole(1),
  "hw:pci_numa_affinity_policy": one("required", "preferred", "legacy", "socket"),
  ...all("hw:", ["cpu_sockets", "cpu_cores", "cpu_threads", "max_cpu_sockets", "max_cpu_cores"], whole(1)),
  "hw:max_cpu_threads": whole(1),
  "hw:pmem": text("[a-zA-Z0-9_]+(,[a-zA-Z0-9_]+)*,?", "([a-zA-Z0-9_]+(,)?)+"),
  "hw:serial_port_count": whole(0),
  "hw:tpm_model": one("tpm-tis", "tpm-crb"),
  "hw:tpm_version": one("1.2", "2.0"),
  "hw:watchdog_action": one("none", "pause", "poweroff", "reset", "disabled"),
  "hw:viommu_model": one("intel", "smmuv3", "virtio", "auto"),
  "hw:ephemeral_encryption_format": one("plain", "luks", "luksv2"),
  "hw_rng:allowed": boolean,
  ...all("hw_rng:", ["rate_bytes", "rate_period"], whole(0)),
  "hw_video:ram_max_mb": whole(0),
  "os:secure_boot": one("disabled", "required"),
  "os:resolution": one("1024x768", "1280x1024", "1600x1200", "1920x1200", "2560x1600", "3840x2160"),
  "os:monitors": whole(1, 8),
  "os:vram": one("64", "128", "256", "512", "1024"),
  "pci_passthrough:alias": text("[^:]+:\\d+(?:\\s*,\\s*[^:]+:\\d+)*"),
  ...all("quota:", shared("limit"), whole(0)),
  ...all("quota:", shared("reservation"), whole()),
  ...all("quota:", shared("shares_level"), one("custom", "high", "normal", "low")),
  ...all("quota:", shared("shares_share"), whole(0)),
  ...all("quota:", ["cpu_shares", "cpu_period"], whole(0)),
  "quota:cpu_quota": whole(),
  ...all("quota:disk_", disk, whole(0)),
  ...all("quota:vif_", traffic, whole(0)),
  ...all("vmware:", ["hw_version", "storage_policy"], text()),
});

const group = "([a-zA-Z0-9_-]{1,64})?";
const classes = [
  ...["VCPU", "MEMORY_MB", "DISK_GB", "PCI_DEVICE", "SRIOV_NET_VF", "NUMA_SOCKET", "NUMA_CORE", "NUMA_THREAD"],
  ...["NUMA_MEMORY_MB", "IPV4_ADDRESS", "VGPU", "VGPU_DISPLAY_HEAD", "NET_BW_EGR_KILOBIT_PER_SEC"],
  ...["NET_BW_IGR_KILOBIT_PER_SEC", "PCPU", "MEM_ENCRYPTION_CONTEXT", "FPGA", "PGPU"],
  ...["NET_PACKET_RATE_KILOPACKET_PER_SEC", "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC"],
  ...["NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC", "CUSTOM_[A-Z0-9_]+"],
];
const sections = [
  "cpu_info",
  "metrics",
  "stats",
  "numa_topology",
  "supported_hv_specs",
  "pci_device_pools",
  "nodename",
];

/** Those that are named by a pattern. Traits are as `os-traits` names them: what begins like one is taken for one. */
const patterns: [pattern: RegExp, rule: Rule][] = [
  [/^aggregate_instance_extra_specs:.+$/s, text()],
  [
    new RegExp(
      `^capabilities:(${[...sections, "pci_stats", "supported_instances", "limits", "instances"].join("|")})(:\\w+)*$`,
    ),
    text(),
  ],
  [/^hw:numa_cpus\.\d+$/, cpus],
  [/^hw:numa_mem\.\d+$/, whole(1)],
  [new RegExp(`^resources${group}:(${classes.join("|")})$`), whole()],
  [new RegExp(`^trait${group}:(COMPUTE|HW|MISC|OWNER|STORAGE|CUSTOM)_[A-Z0-9_]+$`), one("required", "forbidden")],
];

/** What Nova keeps to itself of what stands before a colon. */
const namespaces = new RegExp(
  `^(accel|aggregate_instance_extra_specs|capabilities|hw|hw_rng|hw_video|os|pci_passthrough|quota|resources${group}|trait${group}|vmware)$`,
);

/** Nova's check of extra specs since 2.86: names of others' are taken as they are. @throws ApiError 400 */
export function demandExtraSpecs(specs: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(specs)) {
    const rule = known[name] ?? patterns.find(([pattern]) => pattern.test(name))?.[1];
    if (rule !== undefined) {
      const wrong = mistake(String(value), rule);
      if (wrong !== undefined) throw nova.badRequest(`Validation failed; '${value}' ${wrong}.`);
    } else if (name.includes(":") && namespaces.test(name.split(":", 1)[0] ?? "")) {
      throw nova.badRequest(`Validation failed; extra spec '${name}' does not appear to be a valid extra spec.`);
    }
  }
}

function mistake(value: string, rule: Rule): string | undefined {
  switch (rule.is) {
    case "integer":
      if (!/^\s*[+-]?\d+(_\d+)*\s*$/.test(value)) return "is not a valid integer value";
      if (rule.most !== undefined && Number(value) > rule.most)
        return `is greater than the max value of '${rule.most}'`;
      return rule.least !== undefined && Number(value) < rule.least
        ? `is less than the min value of '${rule.least}'`
        : undefined;
    case "boolean":
      return /^\s*(1|t|true|on|y|yes|0|f|false|off|n|no)\s*$/i.test(value)
        ? undefined
        : "is not a valid boolean-like value";
    case "one":
      return rule.of.includes(value) ? undefined : `is not one of: ${rule.of.join(", ")}`;
    case "text":
      return rule.pattern === undefined || new RegExp(`^(?:${rule.pattern})$`).test(value)
        ? undefined
        : `is not of the format '${rule.told}'`;
  }
}
