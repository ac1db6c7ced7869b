import type { ServingConfig } from "../serving/config.ts";
import type { Listener } from "../serving/listening/inherited.ts";
import { type FrontendInstance, frontendUnit } from "./unit-names.ts";

/** A socket unit of a host's frontend. */
interface SocketUnit {
  file: string;
  /** @param instance of the frontend that systemd starts for whoever comes while none runs, and that may not run when it begins to listen */
  text: (instance: FrontendInstance) => string;
}

/**
 * One for each of the frontend's listeners. Those whose ports a release may change have one for each port: the old one is listened at until
 * the next frontend has taken over.
 */
export function socketUnits({ frontend, grpc, aiengine }: ServingConfig): SocketUnit[] {
  const listeners: [Listener, string, { host: string; port: number } | undefined][] = [
    ["http", "slipway-frontend.socket", frontend],
    ["grpc", `slipway-grpc-${grpc?.port}.socket`, grpc && { host: frontend.host, ...grpc }],
    ["aiengine", `slipway-aiengine-${aiengine?.port}.socket`, aiengine],
  ];
  return listeners.flatMap(([name, file, at]) => {
    if (at === undefined) return [];
    const text = (instance: FrontendInstance) => [
      "[Unit]",
      `Description=Slipway's ${name} listener`,
      "",
      "[Socket]",
      `ListenStream=${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`,
      `FileDescriptorName=${name}`,
      `Service=${frontendUnit(instance)}`,
      "",
      "[Install]",
      "WantedBy=sockets.target",
      "",
    ];
    return [{ file, text: (instance) => text(instance).join("\n") }];
  });
}
