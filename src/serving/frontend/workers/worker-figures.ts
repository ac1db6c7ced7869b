import { modelCountersOf } from "../../metrics/counters.ts";
import type { Meter } from "../../metrics/meter.ts";
import type { WorkerPool } from "../../workers/pool.ts";
import type { WorkersOptions } from "../../workers/workers.ts";

/** Counts what external workers answer, beside what runtimes do; how much is under way there, and who is not asked, are figures, too. */
export function meterWorkers(
  meter: Meter,
  pool: () => WorkerPool,
): Required<Pick<WorkersOptions, "onOutcome" | "onFailover">> {
  const counters = modelCountersOf(meter);
  const failovers = meter.counter({
    name: "slipway_worker_failovers_total",
    help: "Attempts after which another worker was asked, or nobody.",
    labels: ["model", "worker", "failure"],
  });
  meter.gauge(
    { name: "slipway_worker_in_flight", help: "Requests under way at external workers.", labels: ["worker"] },
    () => pool().workers.map(({ worker, inFlight }) => ({ labels: [worker.id], value: inFlight })),
  );
  meter.gauge(
    {
      name: "slipway_worker_avoided",
      help: "Frontend processes that do not ask this external worker now.",
      labels: ["worker"],
    },
    () =>
      pool().workers.map((pooled) => ({
        labels: [pooled.worker.id],
        value: pool().obstacleOf(pooled) === undefined ? 0 : 1,
      })),
  );
  return {
    onOutcome: ({ model, worker, ok, milliseconds }) => {
      const counted = counters({ name: model, version: "" }, worker);
      if (ok) counted.answered(1, milliseconds);
      else counted.failed(milliseconds);
    },
    onFailover: (model, worker, failure) => failovers(model, worker, failure).add(1),
  };
}
