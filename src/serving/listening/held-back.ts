import { existsSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 20;

/** How a release holds back a frontend that it starts beside the one that serves. */
export interface Hold {
  /** For as long as this file is there nobody but the release asks the frontend. */
  file: string;
  /** Path of the unix socket where it does. It is gone as soon as the frontend answers everybody. */
  socket: string;
}

/** What the unit tells; undefined where nothing holds this frontend back. */
export function holdOf({ SLIPWAY_HOLD: file, SLIPWAY_HELD_SOCKET: socket }: NodeJS.ProcessEnv): Hold | undefined {
  return file && socket && existsSync(file) ? { file, socket } : undefined;
}

/** Takes away what a killed process left. To be called once, before any process of the frontend listens. */
export async function clearHeldSocket({ SLIPWAY_HELD_SOCKET: socket }: NodeJS.ProcessEnv): Promise<void> {
  if (socket) await rm(socket, { force: true });
}

/** A frontend that is held back. */
export interface HeldBack {
  /** Resolves when it is to answer everybody. */
  lifted: Promise<void>;
  /** Ends its own socket: it answers everybody, or it stops. */
  end: () => Promise<void>;
}

/** Answers on the hold's socket alone. */
export async function holdBack({ file, socket }: Hold, answer: RequestListener): Promise<HeldBack> {
  const server = createServer(answer);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen({ path: socket }, resolve);
  });
  await chmod(socket, 0o660).catch(() => undefined); // another process of the frontend has done so
  let ended = false;
  const lifted = (async () => {
    while (!ended && existsSync(file)) await sleep(LOOK_MS);
  })();
  return {
    lifted,
    end: () => {
      ended = true;
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}
