import type { BalancerHealth } from "../engine.ts";
import type { OperatingStatus } from "../records.ts";

/** What HAProxy's `show stat` tells, in CSV: lines of frontends, backends and servers. */
export function healthOf(csv: string): BalancerHealth {
  const [header = "", ...lines] = csv.split("\n").filter((line) => line.trim() !== "");
  const columns = header.replace(/^# /, "").split(",");
  const health: BalancerHealth = { members: {}, traffic: {} };
  for (const line of lines) {
    const values = line.split(",");
    const of = (column: string) => values[columns.indexOf(column)] ?? "";
    const count = (column: string) => Number(of(column)) || 0;
    if (of("svname") === "FRONTEND") {
      health.traffic[of("pxname")] = {
        bytes_in: count("bin"),
        bytes_out: count("bout"),
        active_connections: count("scur"),
        total_connections: count("stot"),
        request_errors: count("ereq"),
      };
    } else if (of("svname") !== "BACKEND") {
      health.members[of("svname")] = memberStatus(of("status"));
    }
  }
  return health;
}

/** `UP`, `UP 1/3` on its way down, `DOWN`, `DOWN 1/2` on its way up, `MAINT`, `DRAIN`, `NOLB`, `no check`. */
function memberStatus(status: string): OperatingStatus {
  if (status.startsWith("UP")) return "ONLINE";
  if (status.startsWith("DOWN")) return "ERROR";
  if (status.startsWith("MAINT")) return "OFFLINE";
  return status === "no check" ? "NO_MONITOR" : "DRAINING";
}
