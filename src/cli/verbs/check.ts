import { SlipwayError } from "../../common/errors.ts";
import { checkEndpoint, type Expectation } from "../../health/check-endpoint.ts";
import { checkGrpc } from "../../health/check-grpc.ts";
import { readExpectation } from "../../health/expectation.ts";
import { readStackRecord } from "../../release/stack-record.ts";
import { findOwnToken } from "../../release/tokens.ts";
import { requireOutputs } from "../running-stack.ts";
import { insteadText, type ServedInstead, servedInstead } from "../served-instead.ts";
import { bringServedModel } from "../served-model.ts";
import { endpointUrl, grpcAddress } from "../stack-outputs.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

export const verb = declare({
  options: { timeout: { type: "number", default: 10, describe: "seconds" } },
  run: async ({ args, reporter, signal }) => {
    const workspace = await openWorkspace(args);
    const { stack, stackHome } = workspace;
    const outputs = await requireOutputs(workspace);
    const url = endpointUrl(outputs);
    const grpc = grpcAddress(outputs);
    const remembered = await readExpectation(stackHome);
    if (remembered === undefined) {
      throw new SlipwayError("E_UNHEALTHY", `no release of ${stack} has passed its gate yet`, {
        hint: `Run \`slipway up ${stack}\`: it goes on where the last run ended.`,
      });
    }
    const token = await findOwnToken(stackHome);
    const timeoutMs = args.timeout * 1000;
    const release = (await readStackRecord(stackHome))?.release;
    const instead = await servedInstead(workspace, url, release?.sequence);
    const expectation = instead === undefined ? remembered : await expectationOf(instead);
    const report = await reporter.phase("check", url, () => checkEndpoint(url, expectation, { timeoutMs, token }));
    if (grpc !== undefined) await reporter.phase("grpc", grpc, () => checkGrpc(grpc, timeoutMs));
    const { model, prediction, latencyMs } = report;
    const upon =
      release === undefined ? "" : `${instead === undefined ? ", release" : ", upon release"} ${release.sequence}`;
    reporter.result(
      {
        ok: true,
        stack,
        url,
        ...(grpc !== undefined && { grpc }),
        model,
        release,
        ...(instead && { instead }),
        prediction,
        latencyMs,
        timings: reporter.timings,
      },
      `${url} serves ${model.name} version ${model.version} (${model.digest})${upon}; the golden rows came back right in ${latencyMs.toFixed(1)} ms${grpc === undefined ? "" : `; gRPC at ${grpc} serves`}`,
    );

    /** What was pushed, or trained on the host, is asked its own golden rows: its package may have to be brought here first. */
    async function expectationOf(other: ServedInstead): Promise<Expectation> {
      reporter.note(`${stack} serves ${insteadText(other)}`);
      await requireOwnCloud(workspace);
      const { model } = other;
      const served = await bringServedModel(
        workspace,
        reporter,
        { outputs, identity: model },
        { name: model.name, signal },
      );
      return served.expectation;
    }
  },
});
