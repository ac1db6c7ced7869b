import { SlipwayError } from "../../common/errors.ts";
import { checkEndpoint } from "../../health/check-endpoint.ts";
import { checkGrpc } from "../../health/check-grpc.ts";
import { readExpectation } from "../../health/expectation.ts";
import { readStackRecord } from "../../release/stack-record.ts";
import { findOwnToken } from "../../release/tokens.ts";
import { requireOutputs } from "../running-stack.ts";
import { endpointUrl, grpcAddress } from "../stack-outputs.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace } from "../workspace.ts";

export const verb = declare({
  options: { timeout: { type: "number", default: 10, describe: "seconds" } },
  run: async ({ args, reporter }) => {
    const workspace = await openWorkspace(args);
    const { stack, stackHome } = workspace;
    const outputs = await requireOutputs(workspace);
    const url = endpointUrl(outputs);
    const grpc = grpcAddress(outputs);
    const expectation = await readExpectation(stackHome);
    if (expectation === undefined) {
      throw new SlipwayError("E_UNHEALTHY", `no release of ${stack} has passed its gate yet`, {
        hint: `Run \`slipway up ${stack}\`: it goes on where the last run ended.`,
      });
    }
    const token = await findOwnToken(stackHome);
    const timeoutMs = args.timeout * 1000;
    const report = await reporter.phase("check", url, () => checkEndpoint(url, expectation, { timeoutMs, token }));
    if (grpc !== undefined) await reporter.phase("grpc", grpc, () => checkGrpc(grpc, timeoutMs));
    const { model, prediction, latencyMs } = report;
    const release = (await readStackRecord(stackHome))?.release;
    reporter.result(
      {
        ok: true,
        stack,
        url,
        ...(grpc !== undefined && { grpc }),
        model,
        release,
        prediction,
        latencyMs,
        timings: reporter.timings,
      },
      `${url} serves ${model.name} version ${model.version} (${model.digest})${release === undefined ? "" : `, release ${release.sequence}`}; the golden rows came back right in ${latencyMs.toFixed(1)} ms${grpc === undefined ? "" : `; gRPC at ${grpc} serves`}`,
    );
  },
});
