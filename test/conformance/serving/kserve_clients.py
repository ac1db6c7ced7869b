"""KServe's own inference clients, unmodified, over REST and gRPC against a host."""

import asyncio
import logging

import grpc
import httpx
import numpy as np
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

from checks import predictor, SAMPLES, backwards, fails, grpc_address, http_address, report, same

logging.disable(logging.CRITICAL)
url = f"http://{http_address}"
metadata = tuple(predictor().items())
loop = asyncio.new_event_loop()
rest = InferenceRESTClient(RESTConfig(protocol="v2"))
calls = None


def run(coroutine):
    return loop.run_until_complete(coroutine)


async def connect():
    return InferenceGRPCClient(grpc_address)


def request(binary, model="every", inputs=None, **how):
    if inputs is None:
        inputs = {f"x_{d}": (d, s) for d, s in SAMPLES.items()}
    tensors = []
    for name, (datatype, sample) in inputs.items():
        tensor = InferInput(name, list(sample.shape), datatype)
        # half floats have no JSON here
        tensor.set_data_from_numpy(sample, binary_data=binary or datatype == "FP16")
        tensors.append(tensor)
    return InferRequest(model, tensors, **how)


def check(answer, datatypes=SAMPLES):
    found = {output.name: output for output in answer.outputs}
    for datatype in datatypes:
        same(found[f"y_{datatype}"].as_numpy(), backwards(datatype))


def health():
    assert run(rest.is_server_live(url))
    assert run(rest.is_server_ready(url))
    assert run(rest.is_model_ready(url, "every", headers=predictor()))
    assert run(calls.is_server_live())
    assert run(calls.is_server_ready())
    assert run(calls.is_model_ready("every", headers=metadata))
    fails(grpc.RpcError, lambda: run(calls.is_model_ready("none", headers=metadata)))


def rest_json():
    wanted = [RequestedOutput(f"y_{d}") for d in SAMPLES if d != "FP16"]
    answer = run(rest.infer(url, request(False, request_outputs=wanted), "every", headers=predictor()))
    check(answer, [d for d in SAMPLES if d != "FP16"])


def rest_binary():
    question = request(True, parameters={"binary_data_output": True}, request_id="seven")
    answer = run(rest.infer(url, question, "every", headers=predictor()))
    assert answer.id == "seven"
    check(answer)


def grpc_bytes():
    answer = run(calls.infer(request(True, request_id="eight"), headers=metadata))
    assert answer.id == "eight" and answer.model_name == "every"
    check(answer)


def grpc_contents():
    rows = np.arange(6, dtype=np.float64).reshape(3, 2) - 2
    kinds = {"INT32": np.int32, "INT64": np.int64, "FP32": np.float32, "FP64": np.float64}
    tensors = []
    for datatype, dtype in kinds.items():
        tensors.append(InferInput(f"x_{datatype}", [3, 2], datatype, data=rows.astype(dtype).flatten().tolist()))
    answer = run(calls.infer(InferRequest("affine", tensors), headers=metadata))
    for output in answer.outputs:
        same(output.as_numpy(), (3 * rows + 1).astype(kinds[output.datatype]))


def errors():
    fails(httpx.HTTPStatusError, lambda: run(rest.infer(url, request(True), "none", headers=predictor())), "404")
    fails(httpx.HTTPStatusError, lambda: run(rest.infer(url, request(True), "every")), "401")
    short = request(True, inputs={"x_BOOL": ("BOOL", SAMPLES["BOOL"])})
    fails(httpx.HTTPStatusError, lambda: run(rest.infer(url, short, "every", headers=predictor())), "400", 'input "x_UINT8" is missing')
    refused = fails(grpc.RpcError, lambda: run(calls.infer(short, headers=metadata)), 'input "x_UINT8" is missing')
    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    refused = fails(grpc.RpcError, lambda: run(calls.infer(request(True, model="none"), headers=metadata)))
    assert refused.code() == grpc.StatusCode.NOT_FOUND
    assert fails(grpc.RpcError, lambda: run(calls.infer(request(True)))).code() == grpc.StatusCode.UNAUTHENTICATED


calls = run(connect())
report([health, rest_json, rest_binary, grpc_bytes, grpc_contents, errors])
run(calls.close())
