import { join, resolve } from "node:path";
import { SlipwayError } from "../../common/errors.ts";
import { writeFileAtomic } from "../../common/files.ts";
import { hostContexts, hostName } from "../../components/host-contexts.ts";
import type { HostContext } from "../../contextualization/render.ts";
import { type HostUserData, hostUserData } from "../host-user-data.ts";
import { publicationValues } from "../publication-values.ts";
import { verb as declare } from "../verb.ts";
import { openLocalStack } from "../workspace.ts";

export const verb = declare({
  options: {
    host: { type: "string", requiresArg: true, describe: "only this host" },
    output: {
      type: "string",
      requiresArg: true,
      normalize: true,
      describe: "a folder that gets a file <host>.user-data with exactly what Nova is given",
    },
  },
  run: async ({ args, reporter }) => {
    const local = await openLocalStack(args.stack);
    const { projectRoot, stack, config } = local;
    const { placeholders, ...publication } = await publicationValues(local);
    const contexts = chosen(hostContexts(stack, config, publication), args.host);
    const hosts = await reporter.phase("render", `user-data of ${contexts.map(hostName).join(", ")}`, () =>
      Promise.all(contexts.map((context) => hostUserData(context, join(projectRoot, "cloud-init")))),
    );
    for (const host of hosts) for (const line of summary(host)) reporter.note(line);
    if (placeholders.length > 0)
      reporter.note(`made up, until \`slipway up\` decides them: ${placeholders.join(", ")}`);
    const files = args.output === undefined ? [] : await written(hosts, args.output);
    for (const file of files) reporter.note(`written: ${file}`);
    const shown = hosts.map(({ document: _document, ...host }) => host);
    const text =
      files.length > 0
        ? ""
        : hosts
            .map(({ document }) => document)
            .join("\n")
            .replace(/\n$/, "");
    reporter.result({ ok: true, stack, placeholders, hosts: shown, files, timings: reporter.timings }, text);
  },
});

/** All hosts, or the one that is named with or without its generation. */
function chosen(contexts: HostContext[], name: string | undefined): HostContext[] {
  if (name === undefined) return contexts;
  const named = contexts.filter((context) => [context.host, hostName(context)].includes(name));
  if (named.length > 0) return named;
  throw new SlipwayError("E_USAGE", `the stack has no host ${name}`, {
    hint: `Choose one of: ${contexts.map(hostName).join(", ")}.`,
  });
}

function summary({ name, userData, document, sizes, checks }: HostUserData): string[] {
  const { raw, base64, gzipBase64, limit } = sizes;
  const form = userData === document ? "base64" : "base64 of its gzip";
  const results = Object.entries(checks).map(([check, one]) =>
    one.result === "skipped" ? `${check} skipped (${one.reason})` : `${check} passed`,
  );
  return [
    `${name}: ${raw} bytes, ${base64} as base64, ${gzipBase64} as base64 of its gzip; sent as ${form}, Nova's limit is ${limit}`,
    `${name}: ${results.join(", ")}`,
  ];
}

async function written(hosts: HostUserData[], folder: string): Promise<string[]> {
  return Promise.all(
    hosts.map(async ({ name, userData }) => {
      const file = join(resolve(folder), `${name}.user-data`);
      await writeFileAtomic(file, userData, 0o644);
      return file;
    }),
  );
}
