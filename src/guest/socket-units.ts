import type { ServingConfig } from "../serving/config.ts";
import type { Listener } from "../serving/listening/inherited.ts";
import { frontendUnit } from "./unit-names.ts";

/** The socket units of a host's frontend, one for each of its listeners: file names and texts. */
export function socketUnits({ frontend, grpc, aiengine }: ServingConfig): { file: string; text: string }[] {
  const listeners: [Listener, string, { host: string; port: number } | undefined][] = [
    ["http", "slipway-frontend.socket", frontend],
    ["grpc", "slipway-grpc.socket", grpc && { host: frontend.host, ...grpc }],
    ["aiengine", "slipway-aiengine.socket", aiengine],
  ];
  return listeners.flatMap(([name, file, at]) => {
    if (at === undefined) return [];
    const text = [
      "[Unit]",
      `Description=Slipway's ${name} listener`,
      "",
      "[Socket]",
      `ListenStream=${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`,
      `FileDescriptorName=${name}`,
      // systemd wants one to start for whoever comes while none runs
      `Service=${frontendUnit("a")}`,
      "",
      "[Install]",
      "WantedBy=sockets.target",
      "",
    ].join("\n");
    return [{ file, text }];
  });
}
