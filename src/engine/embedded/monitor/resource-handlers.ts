import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Callback } from "@pulumi/pulumi/proto/callback_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import type {
  ReadResourceRequest,
  RegisterResourceOutputsRequest,
  RegisterResourceRequest,
  ResourceInvokeRequest,
  SupportsFeatureRequest,
} from "@pulumi/pulumi/proto/resource_pb.js";
import resource from "@pulumi/pulumi/proto/resource_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import type { Deployment } from "../deployment/deployment.ts";
import { isProviderType } from "../urn.ts";
import { mapFromStruct, structFromMap } from "../values/wire.ts";
import { goalFrom, readGoalFrom, unsupportedOptions } from "./requests.ts";
import type { Transforms } from "./transforms.ts";
import type { Unary } from "./unary.ts";

const feature = resource.ResourceMonitorFeature;

/** What this engine offers, by the name that older SDKs ask for and the number that newer ones read. */
const features = new Map<string, number>([
  ["secrets", feature.RESOURCE_MONITOR_FEATURE_SECRETS],
  ["resourceReferences", feature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES],
  ["aliasSpecs", feature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS],
  ["deletedWith", feature.RESOURCE_MONITOR_FEATURE_DELETED_WITH],
  ["outputValues", feature.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES],
  ["transforms", feature.RESOURCE_MONITOR_FEATURE_TRANSFORMS],
  ["invokeTransforms", feature.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS],
  // Not done, and offered all the same: a program that uses one is told by this engine, where the SDK would ask for a newer CLI.
  ["replaceWith", feature.RESOURCE_MONITOR_FEATURE_REPLACE_WITH],
  ["parameterization", feature.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION],
  ["resourceHooks", feature.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS],
  ["errorHooks", feature.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS],
  ["stateMigrations", feature.RESOURCE_MONITOR_FEATURE_STATE_MIGRATIONS],
]);

/** Calls that belong to what this engine does not do; they get a clear refusal. */
const refused: Record<string, string> = {
  call: "methods of resources",
  existsResource: "resource existence checks",
  registerResourceHook: "resource hooks",
  registerErrorHook: "error hooks",
  registerPackage: "parameterized packages",
};

/** The ResourceMonitor service. */
export function resourceHandlers(
  ready: Promise<Deployment>,
  transforms: Transforms,
  unary: Unary,
  projectRoot: string,
): UntypedServiceImplementation {
  const refusing = Object.entries(refused).map(([name, what]) => [name, unary(async () => (await ready).refuse(what))]);
  return {
    ...Object.fromEntries(refusing),
    supportsFeature: unary((request: SupportsFeatureRequest) =>
      new resource.SupportsFeatureResponse().setHassupport(features.has(request.getId())),
    ),
    getDeploymentInfo: unary(() => new resource.DeploymentInfo().setSupportedfeaturesList([...features.values()])),
    signalAndWaitForShutdown: unary(() => new empty.Empty()),
    registerStackTransform: unary((callback: Callback) => {
      transforms.addToStack(callback);
      return new empty.Empty();
    }),
    registerStackInvokeTransform: unary((callback: Callback) => {
      transforms.addToInvokes(callback);
      return new empty.Empty();
    }),
    registerResource: unary(async (request: RegisterResourceRequest) => {
      const answer = await register(ready, await transforms.registration(request), projectRoot);
      transforms.registered(answer.getUrn(), request);
      return answer;
    }),
    registerResourceOutputs: unary(async (request: RegisterResourceOutputsRequest) => {
      await (await ready).registerOutputs(request.getUrn(), mapFromStruct(request.getOutputs()));
      return new empty.Empty();
    }),
    readResource: unary((request: ReadResourceRequest) => read(ready, request)),
    invoke: unary(async (request: ResourceInvokeRequest) => invoke(ready, await transforms.invocation(request))),
  };
}

async function register(ready: Promise<Deployment>, request: RegisterResourceRequest, projectRoot: string) {
  const deployment = await ready;
  const [unsupported] = unsupportedOptions(request);
  if (unsupported !== undefined) deployment.refuse(`${unsupported} (${request.getType()} ${request.getName()})`);
  const state = await deployment.register(goalFrom(request, projectRoot));
  // A component's outputs come from registerOutputs; a provider's are of no use to the program.
  const outputs = state.custom && !isProviderType(state.type) ? state.outputs : {};
  return new resource.RegisterResourceResponse()
    .setUrn(state.urn)
    .setId(state.id ?? "")
    .setUnknown(deployment.isSkipped(state.urn))
    .setObject(structFromMap(outputs, request.getSupportspartialvalues()));
}

async function read(ready: Promise<Deployment>, request: ReadResourceRequest) {
  const deployment = await ready;
  const state = await deployment.read(readGoalFrom(request));
  return new resource.ReadResourceResponse()
    .setUrn(state.urn)
    .setUnknown(deployment.isSkipped(state.urn))
    .setProperties(structFromMap(state.outputs));
}

async function invoke(ready: Promise<Deployment>, request: ResourceInvokeRequest) {
  const answer = await (await ready).invoke({
    token: request.getTok(),
    args: mapFromStruct(request.getArgs()),
    provider: request.getProvider(),
    version: request.getVersion(),
    pluginDownloadUrl: request.getPlugindownloadurl(),
  });
  const response = new resource.ResourceInvokeResponse();
  if (answer === "unknown") return response.setUnknown(true);
  return response
    .setReturn(structFromMap(answer.result))
    .setFailuresList(
      answer.failures.map(({ property, reason }) =>
        new provider.CheckFailure().setProperty(property).setReason(reason),
      ),
    );
}
