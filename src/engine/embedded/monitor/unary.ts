import type { handleUnaryCall } from "@grpc/grpc-js";

/** Wraps a handler into what gRPC calls. */
export type Unary = <Q, A>(handle: (request: Q) => Promise<A> | A) => handleUnaryCall<Q, A>;
