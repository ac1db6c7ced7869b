import { now } from "../clock/clock.ts";
import type { Hypervisor } from "../hypervisors/hypervisor.ts";
import type { Port } from "../network/records.ts";
import type { Server } from "./records.ts";
import { powerState } from "./server-status.ts";

const states: Record<number, string> = { 0: "pending", 1: "running", 3: "paused", 4: "shutdown" };

/**
 * `GET /servers/{id}/diagnostics`: what is known of a guest without looking into it. Since 2.48 the fields are the same for all
 * hypervisors, null for what is not measured; before they were each hypervisor's own.
 */
export function diagnosticsOf(
  server: Server,
  kind: Hypervisor["kind"],
  ports: Port[],
  microversion: number,
): Record<string, unknown> {
  if (microversion < 48) return { memory: server.flavor.ram * 1024 };
  const running = powerState(server) === 1;
  const nics = ports.map((port) => ({ mac_address: port.mac, ...nothing(nicFigures) }));
  return {
    state: states[powerState(server)],
    driver: "libvirt",
    hypervisor: kind === "nspawn" ? "lxc" : "qemu",
    hypervisor_os: "linux",
    uptime: running && server.launchedAt !== null ? Math.floor((now() - Date.parse(server.launchedAt)) / 1000) : 0,
    config_drive: server.configDrive,
    num_cpus: server.flavor.vcpus,
    num_nics: ports.length,
    num_disks: 1,
    disk_details: [nothing(["read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count"])],
    cpu_details: Array.from({ length: server.flavor.vcpus }, (_, id) => ({ id, time: null, utilisation: null })),
    nic_details: nics,
    memory_details: { maximum: server.flavor.ram, used: null },
  };
}

const nicFigures = ["rx_octets", "rx_errors", "rx_drop", "rx_packets", "rx_rate"].flatMap((name) => [
  name,
  name.replace("rx_", "tx_"),
]);

const nothing = (names: string[]): Record<string, null> => Object.fromEntries(names.map((name) => [name, null]));
