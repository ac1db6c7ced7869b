/** The header, or gRPC's metadata, by which a caller decides whether the version on trial answers: `always` or `never`. */
export const CANARY_HEADER = "x-slipway-canary";

/** On the requests of who knows the live version's answers alone: a trial would answer its share of them otherwise. */
export const liveVersionOnly = { [CANARY_HEADER]: "never" } as const;
