import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { pythonRepr } from "../http/python-repr.ts";
import { type Action, type Actions, accepted, changeAtOnce, demand } from "./action.ts";
import { nova } from "./errors.ts";
import type { Server } from "./records.ts";
import { isPlaced } from "./server-status.ts";

const length = z
  .unknown()
  .superRefine((value, context) => {
    if (value === null || (Number.isInteger(value) && Number(value) >= -1)) return;
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if (typeof value !== "string" && !Number.isInteger(value)) {
      refuse(`${pythonRepr(value)} is not of type 'integer', 'string', 'null'`);
    } else if (!/^-?[0-9]+$/.test(String(value))) refuse(`${pythonRepr(value)} does not match '^-?[0-9]+$'`);
    else if (Number(value) < -1) refuse(`${Number(value)} is less than the minimum of -1`);
  })
  .transform((value) => (value === null || Number(value) === -1 ? undefined : Number(value)));
const outputBody = z.strictObject({ "os-getConsoleOutput": z.strictObject({ length: length.optional() }) });

const passwordBody = z.strictObject({ changePassword: z.strictObject({ adminPass: z.string() }) });

/** The consoles to look at that Nova could tell an address of, by the action that asks for one until 2.5. */
const consoles = {
  "os-getVNCConsole": ["novnc", "xvpvnc"],
  "os-getSPICEConsole": ["spice-html5"],
  "os-getRDPConsole": ["rdp-html5"],
  "os-getSerialConsole": ["serial"],
} as const;

export const consoleActions: Actions = {
  "os-getConsoleOutput": async ({ context, server, body }) => {
    const { length: lines } = parseSchema(outputBody, body)["os-getConsoleOutput"];
    demandPlaced(server);
    return { output: await context.hypervisor.console(server.id, lines) };
  },
  changePassword: (action) => {
    parseSchema(passwordBody, action.body);
    demand(action, "changePassword", { states: ["active"] });
    if (action.context.hypervisor.kind !== "fake") throw new ApiError(409, "Set admin password is not supported");
    changeAtOnce(action, "changePassword"); // a pretended guest takes any
    return accepted(action);
  },
  ...Object.fromEntries(Object.entries(consoles).map(([name, types]) => [name, refuseConsole(name, types)])),
};

/** Guests of this cloud have no screen: the refusal of a Nova in which none is switched on. */
function refuseConsole(name: string, types: readonly string[]) {
  const schema = z.strictObject({ [name]: z.strictObject({ type: z.enum(types as [string, ...string[]]) }) });
  return ({ server, body, microversion }: Action) => {
    if (microversion > 5) throw nova.notFound();
    const asked = parseSchema(schema, body)[name];
    demandPlaced(server);
    throw nova.badRequest(`Unavailable console type ${asked?.type}.`);
  };
}

function demandPlaced(server: Server): void {
  if (!isPlaced(server)) throw new ApiError(409, `Instance ${server.id} is not ready`);
}

const protocols = ["vnc", "spice", "rdp", "serial"] as const;
const types = ["novnc", "xvpvnc", "rdp-html5", "spice-html5", "serial"] as const;

/** `POST /servers/{id}/remote-consoles`, from 2.6 on. @throws ApiError always: there is none */
export function remoteConsole(server: Server, body: unknown, microversion: number): never {
  const schema = z.strictObject({
    remote_console: z.strictObject({
      protocol: z.enum(microversion >= 8 ? [...protocols, "mks"] : protocols),
      type: z.enum(microversion >= 8 ? [...types, "webmks"] : types),
    }),
  });
  const { remote_console: asked } = parseSchema(schema, body);
  demandPlaced(server);
  throw nova.badRequest(`Unavailable console type ${asked.type}.`);
}
