"""tritonclient, unmodified, over HTTP and gRPC against a host."""

import queue

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

from checks import deployer, predictor, SAMPLES, backwards, fails, grpc_address, http_address, report, same

http = httpclient.InferenceServerClient(http_address)
grpc = grpcclient.InferenceServerClient(grpc_address)
both = ((http, httpclient), (grpc, grpcclient))


def every_inputs(module, **how):
    inputs = []
    for datatype, sample in SAMPLES.items():
        tensor = module.InferInput(f"x_{datatype}", sample.shape, datatype)
        inputs.append(tensor.set_data_from_numpy(sample, **how))
    return inputs


def affine_inputs(module, rows):
    inputs = []
    for datatype, dtype in (("INT32", np.int32), ("INT64", np.int64), ("FP32", np.float32), ("FP64", np.float64)):
        data = rows.astype(dtype)
        inputs.append(module.InferInput(f"x_{datatype}", data.shape, datatype).set_data_from_numpy(data))
    return inputs


def health():
    for client, _ in both:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("every", headers=predictor())
        assert client.is_model_ready("affine", "1", headers=predictor())
        assert not client.is_model_ready("affine", "2", headers=predictor())
    assert not http.is_model_ready("none", headers=predictor())


def metadata():
    server = http.get_server_metadata(headers=predictor())
    assert "binary_tensor_data" in server["extensions"], server
    remote = grpc.get_server_metadata(headers=predictor(), as_json=True)
    assert remote["extensions"] == server["extensions"] and remote["version"] == server["version"]
    model = http.get_model_metadata("every", headers=predictor())
    assert model["versions"] == ["1"] and model["platform"] == "onnx_onnxv1", model
    assert model["inputs"][0] == {"name": "x_BOOL", "datatype": "BOOL", "shape": [-1, 3]}, model
    remote = grpc.get_model_metadata("every", headers=predictor())
    for side in ("inputs", "outputs"):
        assert [(t.name, t.datatype, list(t.shape)) for t in getattr(remote, side)] == [
            (t["name"], t["datatype"], t["shape"]) for t in model[side]
        ]


def configuration():
    config = http.get_model_config("every", headers=predictor())
    remote = grpc.get_model_config("every", headers=predictor()).config
    assert config["max_batch_size"] == remote.max_batch_size == 4096
    kinds = remote.DESCRIPTOR.fields_by_name["input"].message_type.fields_by_name["data_type"].enum_type.values_by_number
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["input"]] == [
        (t.name, kinds[t.data_type].name, list(t.dims)) for t in remote.input
    ]
    assert [t["data_type"] for t in config["output"]] == [f"TYPE_{'STRING' if d == 'BYTES' else d}" for d in SAMPLES]


def http_json():
    # numpy's half floats are the one type that this client does not write as JSON
    inputs = [t for t in every_inputs(httpclient, binary_data=True) if t.name() == "x_FP16"]
    for datatype, sample in SAMPLES.items():
        if datatype != "FP16":
            tensor = httpclient.InferInput(f"x_{datatype}", sample.shape, datatype)
            inputs.append(tensor.set_data_from_numpy(sample, binary_data=False))
    outputs = [httpclient.InferRequestedOutput(f"y_{d}", binary_data=False) for d in SAMPLES]
    answer = http.infer("every", inputs, outputs=outputs, request_id="seven", headers=predictor())
    assert answer.get_response()["id"] == "seven"
    for datatype in SAMPLES:
        same(answer.as_numpy(f"y_{datatype}"), backwards(datatype))


def http_binary():
    answer = http.infer("every", every_inputs(httpclient), request_id="eight", headers=predictor())
    assert answer.get_response()["model_version"] == "1"
    for datatype in SAMPLES:
        same(answer.as_numpy(f"y_{datatype}"), backwards(datatype))


def http_packed():
    for algorithm in ("gzip", "deflate"):
        answer = http.infer(
            "every", every_inputs(httpclient), request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm, headers=predictor(),
        )
        same(answer.as_numpy("y_FP32"), backwards("FP32"))


def http_async():
    with httpclient.InferenceServerClient(http_address, concurrency=8) as client:
        waiting = [client.async_infer("every", every_inputs(httpclient), headers=predictor()) for _ in range(16)]
        for one in waiting:
            same(one.get_result().as_numpy("y_INT64"), backwards("INT64"))


def classification():
    outputs = [httpclient.InferRequestedOutput("y_FP64", class_count=2)]
    answer = http.infer("every", every_inputs(httpclient), outputs=outputs, headers=predictor()).as_numpy("y_FP64")
    wanted = [grpcclient.InferRequestedOutput("y_FP64", class_count=2)]
    remote = grpc.infer("every", every_inputs(grpcclient), outputs=wanted, headers=predictor()).as_numpy("y_FP64")
    expected = np.argsort(-backwards("FP64"), axis=1)[:, :2]
    for found in (answer, remote):
        places = np.vectorize(lambda text: int(text.decode().split(":")[1]))(found)
        same(places, expected)


def rows():
    sample = np.arange(20, dtype=np.float64).reshape(10, 2)
    for client, module in both:
        answer = client.infer("affine", affine_inputs(module, sample), headers=predictor())
        for datatype in ("INT32", "INT64", "FP32", "FP64"):
            same(answer.as_numpy(f"y_{datatype}"), (3 * sample + 1).astype(answer.as_numpy(f"y_{datatype}").dtype))


def as_many_rows_as_are_taken():
    sample = np.arange(8192, dtype=np.float64).reshape(4096, 2)
    for client, module in both:
        answer = client.infer("affine", affine_inputs(module, sample), headers=predictor())
        same(answer.as_numpy("y_INT64"), (3 * sample + 1).astype(np.int64))
        more = np.zeros((4097, 2))
        fails(InferenceServerException, lambda: client.infer("affine", affine_inputs(module, more), headers=predictor()), "4097 rows")


def no_rows():
    a = np.random.default_rng(3).standard_normal((5, 4)).astype(np.float32)
    b = np.random.default_rng(4).standard_normal((4, 7)).astype(np.float32)
    for client, module in both:
        inputs = [module.InferInput(n, v.shape, "FP32").set_data_from_numpy(v) for n, v in (("a", a), ("b", b))]
        answer = client.infer("product", inputs, headers=predictor())
        assert np.allclose(answer.as_numpy("c"), a.astype(np.float64) @ b, atol=1e-5)
        assert answer.as_numpy("total").shape == ()
        assert np.allclose(answer.as_numpy("total"), (a.astype(np.float64) @ b).sum(), atol=1e-4)


def grpc_infer():
    answer = grpc.infer("every", every_inputs(grpcclient), request_id="nine", headers=predictor())
    assert answer.get_response().id == "nine"
    for datatype in SAMPLES:
        same(answer.as_numpy(f"y_{datatype}"), backwards(datatype))


def grpc_packed():
    answer = grpc.infer("every", every_inputs(grpcclient), compression_algorithm="gzip", headers=predictor())
    same(answer.as_numpy("y_BYTES"), backwards("BYTES"))


def grpc_async():
    done = queue.Queue()
    for _ in range(16):
        grpc.async_infer("every", every_inputs(grpcclient), lambda result, error: done.put((result, error)), headers=predictor())
    for _ in range(16):
        result, error = done.get(timeout=20)
        assert error is None, error
        same(result.as_numpy("y_UINT16"), backwards("UINT16"))


def grpc_stream():
    done = queue.Queue()
    with grpcclient.InferenceServerClient(grpc_address) as client:
        client.start_stream(lambda result, error: done.put((result, error)), headers=predictor())
        for one in range(20):
            client.async_stream_infer("none" if one == 10 else "every", every_inputs(grpcclient), request_id=str(one))
        for one in range(20):
            result, error = done.get(timeout=20)
            if one == 10:
                assert "none" in str(error), error
                continue
            assert error is None, error
            assert result.get_response().id == str(one)
            same(result.as_numpy("y_FP64"), backwards("FP64"))
        client.stop_stream()


def grpc_timeout():
    def problem():
        try:
            grpc.infer("every", every_inputs(grpcclient), client_timeout=0.00001, headers=predictor())
        except InferenceServerException as error:
            return str(error)

    # a busy client may look at its clock only when the answer is there: one of many comes too late for it
    problems = [found for found in (problem() for _ in range(50)) if found is not None]
    assert problems and all("DEADLINE_EXCEEDED" in found for found in problems), problems


def errors():
    for client, module in both:
        inputs = every_inputs(module)
        ask = lambda *a, headers=predictor(), **k: client.infer(*a, headers=headers, **k)
        fails(InferenceServerException, lambda: ask("none", inputs), "none")
        fails(InferenceServerException, lambda: ask("every", inputs, model_version="9"), "9")
        fails(InferenceServerException, lambda: ask("every", inputs[1:]), 'input "x_BOOL" is missing')
        wrong = module.InferInput("x_BOOL", [2, 2], "BOOL").set_data_from_numpy(np.ones((2, 2), dtype=bool))
        fails(InferenceServerException, lambda: ask("every", [wrong, *inputs[1:]]), "input x_BOOL is of shape [-1,3]")
        other = module.InferInput("x_BOOL", [2, 3], "INT8").set_data_from_numpy(np.ones((2, 3), dtype=np.int8))
        fails(InferenceServerException, lambda: ask("every", [other, *inputs[1:]]), "x_BOOL is of BOOL, not of INT8")
        fails(InferenceServerException, lambda: ask("every", inputs, outputs=[module.InferRequestedOutput("y")]), 'no output "y"')
        fails(InferenceServerException, lambda: ask("every", inputs, sequence_id=7), "sequence_id")
        region = module.InferInput("x_BOOL", [2, 3], "BOOL")
        region.set_shared_memory("region", 6)
        fails(InferenceServerException, lambda: ask("every", [region, *inputs[1:]]), "shared_memory")
        fails(InferenceServerException, lambda: client.unload_model("affine", headers=predictor()), "deploy")
    assert fails(InferenceServerException, lambda: http.infer("every", every_inputs(httpclient)), "token").status() == "401"
    assert fails(InferenceServerException, lambda: http.infer("none", [], headers=predictor())).status() == "404"
    refused = fails(InferenceServerException, lambda: grpc.infer("every", every_inputs(grpcclient)), "token")
    assert refused.status() == "StatusCode.UNAUTHENTICATED", refused.status()


def repository():
    def offset(client, module, version=""):
        answer = client.infer("affine", affine_inputs(module, np.zeros((1, 2))), model_version=version, headers=predictor())
        return int(answer.as_numpy("y_INT32")[0, 0])

    for client, module in both:
        assert offset(client, module) == 1
        client.load_model("affine", headers=deployer())
        client.unload_model("affine", headers=deployer())
        fails(InferenceServerException, lambda: offset(client, module), "affine")
        index = client.get_model_repository_index(headers=predictor())
        index = index if client is http else [{"name": m.name, "version": m.version, "state": m.state} for m in index.models]
        states = {(m["name"], m["version"]): m["state"] for m in index}
        assert states == {
            ("affine", "1"): "UNAVAILABLE", ("affine", "2"): "UNAVAILABLE", ("every", "1"): "READY", ("product", "1"): "READY",
        }, states
        client.load_model("affine", headers=deployer())
        assert offset(client, module) == offset(client, module, "1") == 1
        fails(InferenceServerException, lambda: client.load_model("none", headers=deployer()), "none")
        fails(InferenceServerException, lambda: client.load_model("affine", config="{}", headers=deployer()), "config")


def statistics():
    def of_product():
        remote = grpc.get_inference_statistics("product", headers=predictor(), as_json=True)["model_stats"][0]
        return http.get_inference_statistics("product", headers=predictor())["model_stats"][0], remote

    before, _ = of_product()
    no_rows()
    after, remote = of_product()
    assert after["inference_count"] == before["inference_count"] + 2, (before, after)
    assert after["execution_count"] == before["execution_count"] + 2
    stats = after["inference_stats"]
    assert stats["success"]["count"] == after["inference_count"] and stats["success"]["ns"] > stats["compute_infer"]["ns"] > 0
    assert [b["batch_size"] for b in after["batch_stats"]] == [1]
    assert int(remote["inference_count"]) == after["inference_count"], remote
    assert int(remote["last_inference"]) == after["last_inference"] > 1.7e12
    names = {m["name"] for m in http.get_inference_statistics(headers=predictor())["model_stats"]}
    assert names >= {"every", "affine", "product"}, names


report([
    health, metadata, configuration, http_json, http_binary, http_packed, http_async, classification, rows,
    as_many_rows_as_are_taken, no_rows, grpc_infer, grpc_packed, grpc_async, grpc_stream, grpc_timeout, errors,
    repository, statistics,
])
