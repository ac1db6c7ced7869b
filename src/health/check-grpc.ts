import { SlipwayError } from "../common/errors.ts";

/** `grpc.health.v1.HealthCheckResponse` that says SERVING: field 1, a varint, 1. */
const SERVING = Buffer.from([8, 1]);

/**
 * Asks gRPC's own health service, as load balancers do (https://grpc.io/docs/guides/health-checking/).
 * @param address `host:port`
 * @throws SlipwayError E_UNHEALTHY
 */
export async function checkGrpc(address: string, timeoutMs: number): Promise<void> {
  // only who serves gRPC pays for loading it
  const { Client, credentials } = await import("@grpc/grpc-js");
  const client = new Client(address, credentials.createInsecure());
  const bytes = (value: Buffer) => value;
  try {
    const status = await new Promise<Buffer | undefined>((resolve, reject) => {
      const ofServer = Buffer.alloc(0); // HealthCheckRequest without a service's name
      const deadline = { deadline: Date.now() + timeoutMs };
      client.makeUnaryRequest("/grpc.health.v1.Health/Check", bytes, bytes, ofServer, deadline, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
    if (!status?.equals(SERVING)) throw new Error("it is not serving");
  } catch (cause) {
    throw new SlipwayError("E_UNHEALTHY", `gRPC at ${address}: ${(cause as Error).message}`, {
      cause,
      hint: "Run `slipway status` for the hosts' state, `slipway logs` for what they did last.",
    });
  } finally {
    client.close();
  }
}
