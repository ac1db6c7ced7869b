import type { handleServerStreamingCall, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { FrontendContext } from "../frontend/context.ts";
import { HttpError } from "../frontend/errors.ts";
import { type Calls, methodAt } from "./calls.ts";
import { INFERENCE_SERVICE, isReady } from "./inference-service.ts";
import { HealthStatus, healthAnswer, healthQuestion } from "./messages.ts";
import { failureOf } from "./status.ts";

const SERVICE = "grpc.health.v1.Health";
const LOOK_MS = 1000;

export const healthService: ServiceDefinition = {
  Check: methodAt(`/${SERVICE}/Check`),
  Watch: methodAt(`/${SERVICE}/Watch`, { response: true }),
};

/**
 * gRPC's own health protocol: the server as a whole, and the inference service, are healthy when the host is ready. Who watches would
 * never be done: `close` ends their calls.
 */
export function healthHandlers(
  context: FrontendContext,
  calls: Calls,
): { handlers: UntypedServiceImplementation; close: () => void } {
  const watchers = new Set<() => void>();
  const statusOf = async (service: string): Promise<number> => {
    if (service !== "" && service !== INFERENCE_SERVICE) return HealthStatus.serviceUnknown;
    return (await isReady(context)) ? HealthStatus.serving : HealthStatus.notServing;
  };
  const watch: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    let last = -1;
    let service: string;
    try {
      ({ service } = healthQuestion.decode(call.request));
    } catch (error) {
      call.emit("error", failureOf(error));
      return;
    }
    const look = async () => {
      const now = await statusOf(service).catch(() => HealthStatus.notServing);
      if (now !== last && !call.cancelled) call.write(healthAnswer.encode({ status: now }));
      last = now;
    };
    void look();
    const timer = setInterval(() => void look(), LOOK_MS);
    timer.unref();
    const stop = () => {
      clearInterval(timer);
      watchers.delete(stop);
      call.end();
    };
    watchers.add(stop);
    call.on("cancelled", stop);
  };
  const handlers = {
    Check: calls.unary("Check", "public", healthQuestion, healthAnswer, async ({ service }) => {
      const found = await statusOf(service);
      if (found === HealthStatus.serviceUnknown) throw new HttpError(404, "NOT_FOUND", "there is no such service");
      return { status: found };
    }),
    Watch: watch,
  };
  return {
    handlers,
    close: () => {
      for (const stop of watchers) stop();
    },
  };
}
