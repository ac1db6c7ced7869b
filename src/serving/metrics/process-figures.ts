import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Meter } from "./meter.ts";

/** Figures of this process, by the names that Prometheus' own client libraries use; `process` tells those of a frontend apart. */
export function meterProcess(meter: Meter, process_: string): void {
  const labels = ["process"];
  const started = Math.round(Date.now() / 1000 - process.uptime());
  const one = (value: number) => [{ labels: [process_], value }];
  meter.gauge({ name: "process_resident_memory_bytes", help: "Memory that is resident.", labels }, () =>
    one(process.memoryUsage.rss()),
  );
  meter.gauge({ name: "process_heap_bytes", help: "V8's heap in use.", labels }, () =>
    one(process.memoryUsage().heapUsed),
  );
  meter.gauge({ name: "process_start_time_seconds", help: "When it started, since the epoch.", labels }, () =>
    one(started),
  );
  meter.gauge({ name: "process_cpu_seconds", help: "Processor time, user and system.", labels }, () => {
    const { user, system } = process.cpuUsage();
    return one((user + system) / 1e6);
  });
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  meter.gauge(
    { name: "nodejs_eventloop_lag_p99_seconds", help: "How late the event loop was, since the last look.", labels },
    () => {
      const late = delay.percentile(99) / 1e9;
      delay.reset();
      return one(Number.isFinite(late) ? late : 0);
    },
  );
}
