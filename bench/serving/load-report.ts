/** What is asked, the same each time. */
export interface Question {
  url: string;
  method: "GET" | "POST";
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer>;
  /** HTTP/1.1 unless told otherwise. */
  protocol?: "h2";
}

/** What a load generator saw. Latencies in milliseconds, of all requests, as the client waits for them. */
export interface Load {
  requests: number;
  seconds: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  most: number;
  /** Requests without an answer, and answers of status 400 and above. */
  failures: Record<"connect" | "read" | "write" | "status" | "timeout", number>;
}

/** Requests that got no answer, or none that is a success. */
export function failed({ failures }: Load): number {
  return Object.values(failures).reduce((sum, each) => sum + each, 0);
}
