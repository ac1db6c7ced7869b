import { type CloudProxy, type PassingCall, startCloudProxy } from "../../support/cloud-proxy.ts";
import type { Call, Json } from "./recording.ts";

/** The first part of an embedded cloud's path, as the recordings name the service. */
const services: Record<string, string> = {
  identity: "keystone",
  compute: "nova",
  network: "neutron",
  image: "glance",
  volume: "cinder",
};

/** A proxy before an embedded cloud that writes down every request, in the order they came. */
export interface RecordingProxy extends CloudProxy {
  calls: Call[];
  /** Answers as they are, or as this makes of them: for a cloud that is slow or odd. */
  alter: (call: Call, answer: string) => string;
}

/** Starts one on a free port of 127.0.0.1. */
export async function startRecordingProxy(cloudPort: number): Promise<RecordingProxy> {
  const calls: Call[] = [];
  const recorded = new WeakMap<PassingCall, Call>();
  let startedAt = 0;
  const recording = { calls, alter: (_: Call, answer: string) => answer };
  const proxy = await startCloudProxy(cloudPort, {
    before(passing) {
      if (calls.length === 0) startedAt = performance.now();
      const call = callOf(passing, performance.now() - startedAt);
      recorded.set(passing, call);
      return calls.push(call) > 0;
    },
    after(passing, status) {
      const call = recorded.get(passing);
      if (call !== undefined) call.status = status;
      return true;
    },
    alter(passing, answer) {
      const call = recorded.get(passing);
      return call === undefined ? answer : recording.alter(call, answer);
    },
  });
  return Object.assign(recording, proxy);
}

function callOf({ method, url, body }: PassingCall, at: number): Call {
  const { pathname, search } = new URL(url, "http://cloud");
  const [, first = "", ...rest] = pathname.split("/");
  return {
    service: services[first] ?? first,
    method,
    path: `/${rest.join("/")}`,
    query: search.slice(1),
    status: 0,
    at,
    ...(body === "" ? {} : { body: JSON.parse(body) as Json }),
  };
}
