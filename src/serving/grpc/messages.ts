import {
  bool,
  byteStrings,
  bytes,
  double,
  elements,
  map,
  message,
  messages,
  nested,
  optional,
  packed,
  string,
  strings,
  type Values,
  whole,
  wholes,
} from "./codec.ts";

// The messages of the Open Inference Protocol and of Triton's extensions to it, as far as they are served. Field numbers:
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto
// https://github.com/triton-inference-server/common/blob/main/protobuf/grpc_service.proto

export const empty = message({});

export const liveAnswer = message({ live: bool(1) });
export const readyAnswer = message({ ready: bool(1) });
export const modelQuestion = message({ name: string(1), version: string(2) });

export const serverMetadata = message({
  name: string(1),
  version: string(2),
  extensions: strings(3),
});

const tensorMetadata = message({ name: string(1), datatype: string(2), shape: wholes(3) });

export const modelMetadata = message({
  name: string(1),
  versions: strings(2),
  platform: string(3),
  inputs: messages(4, tensorMetadata),
  outputs: messages(5, tensorMetadata),
});

const parameter = message({
  bool: optional(bool(1)),
  int64: optional(whole(2)),
  string: optional(string(3)),
  double: optional(double(4)),
  uint64: optional(whole(5)),
});
const parameters = (number: number) => map(number, parameter);

const contents = message({
  bool: packed(1),
  int: packed(2),
  int64: packed(3),
  uint: packed(4),
  uint64: packed(5),
  fp32: packed(6),
  fp64: packed(7),
  bytes: elements(8),
});

export type Contents = Partial<Values<typeof contents.fields>>;
export type Parameters = Map<string, Partial<Values<typeof parameter.fields>>>;

const tensor = message({
  name: string(1),
  datatype: string(2),
  shape: wholes(3),
  parameters: parameters(4),
  contents: nested(5, contents),
});

const requestedOutput = message({ name: string(1), parameters: parameters(2) });

export const inferQuestion = message({
  modelName: string(1),
  modelVersion: string(2),
  id: string(3),
  parameters: parameters(4),
  inputs: messages(5, tensor),
  outputs: messages(6, requestedOutput),
  rawInputContents: byteStrings(7),
});

export const inferAnswer = message({
  modelName: string(1),
  modelVersion: string(2),
  id: string(3),
  parameters: parameters(4),
  outputs: messages(5, tensor),
  rawOutputContents: byteStrings(6),
});

export type InferQuestionMessage = Values<typeof inferQuestion.fields>;
export type InferAnswerMessage = Partial<Values<typeof inferAnswer.fields>>;

export const streamAnswer = message({
  errorMessage: string(1),
  inferResponse: nested(2, inferAnswer),
});

const configTensor = (dims: number) => message({ name: string(1), dataType: whole(2), dims: wholes(dims) });

const modelConfig = message({
  name: string(1),
  platform: string(2),
  maxBatchSize: whole(4),
  input: messages(5, configTensor(4)),
  output: messages(6, configTensor(3)),
  backend: string(17),
});

export const configAnswer = message({ config: nested(1, modelConfig) });

const duration = message({ count: whole(1), ns: whole(2) });

const inferStatistics = message({
  success: nested(1, duration),
  fail: nested(2, duration),
  queue: nested(3, duration),
  compute_input: nested(4, duration),
  compute_infer: nested(5, duration),
  compute_output: nested(6, duration),
  cache_hit: nested(7, duration),
  cache_miss: nested(8, duration),
});

const batchStatistics = message({
  batchSize: whole(1),
  compute_input: nested(2, duration),
  compute_infer: nested(3, duration),
  compute_output: nested(4, duration),
});

const modelStatistics = message({
  name: string(1),
  version: string(2),
  lastInference: whole(3),
  inferenceCount: whole(4),
  executionCount: whole(5),
  inferenceStats: nested(6, inferStatistics),
  batchStats: messages(7, batchStatistics),
});

export const statisticsAnswer = message({ modelStats: messages(1, modelStatistics) });

export const indexQuestion = message({ repositoryName: string(1), ready: bool(2) });

export const indexAnswer = message({
  models: messages(1, message({ name: string(1), version: string(2), state: string(3), reason: string(4) })),
});

const repositoryParameter = message({
  bool: optional(bool(1)),
  int64: optional(whole(2)),
  string: optional(string(3)),
  bytes: optional(bytes(4)),
});

export const repositoryQuestion = message({
  repositoryName: string(1),
  modelName: string(2),
  parameters: map(3, repositoryParameter),
});

// The health protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
export const healthQuestion = message({ service: string(1) });
export const healthAnswer = message({ status: whole(1) });
export const HealthStatus = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
