"""An external trainer for Slipway: logistic regression in NumPy, written as ONNX without further packages.

Slipway names its inputs and its output folder by environment variables; see docs/reference/training.md.
parameters: {"epochs": 200, "rate": 0.5}
"""

import json
import os
from pathlib import Path

import numpy as np


def main() -> None:
    spec = json.loads(Path(os.environ["SLIPWAY_TRAINING_SPEC"]).read_text())
    output = Path(os.environ["SLIPWAY_TRAINING_OUTPUT"])
    header = 0 if spec.get("columns") is None else 1
    table = np.loadtxt(os.environ["SLIPWAY_TRAINING_DATA"], delimiter=",", skiprows=header, ndmin=2)
    x, y = table[:, : spec["features"]], table[:, spec["features"]]
    mean, deviation = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1)
    scaled = (x - mean) / deviation
    epochs, rate = spec["parameters"].get("epochs", 200), spec["parameters"].get("rate", 0.5)
    weights, bias = np.random.default_rng(spec["seed"]).normal(scale=0.01, size=x.shape[1]), 0.0
    print(f"{len(x)} rows of {x.shape[1]} features")  # any other line goes to the training's log
    for epoch in range(1, epochs + 1):
        p = 1 / (1 + np.exp(-(scaled @ weights + bias)))
        weights -= rate * scaled.T @ (p - y) / len(y)
        bias -= rate * (p - y).mean()
        loss = -np.mean(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))
        accuracy = np.mean((p > 0.5) == (y > 0.5))
        progress = {"epoch": epoch, "epochs": epochs, "loss": float(loss), "accuracy": float(accuracy)}
        print(json.dumps(progress), flush=True)
    # the scaling becomes part of the model, which is asked for rows as they are
    kernel = weights / deviation
    (output / "model.onnx").write_bytes(onnx_model(kernel, bias - mean @ kernel))
    (output / "metrics.json").write_text(json.dumps({"loss": float(loss), "accuracy": float(accuracy)}))


# ONNX is protobuf: fields of a number, a wire type and a value. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def data(field: int, value: bytes | str) -> bytes:
    content = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(content)) + content


def tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(number(1, size) for size in values.shape)
    return dims + number(2, 1) + data(8, name) + data(9, values.astype("<f4").tobytes())


def matrix(name: str, width: int) -> bytes:
    shape = data(1, data(2, "rows")) + data(1, number(1, width))
    return data(1, name) + data(2, data(1, number(1, 1) + data(2, shape)))


def node(operation: str, inputs: list[str], output: str) -> bytes:
    return b"".join(data(1, name) for name in inputs) + data(2, output) + data(4, operation)


def onnx_model(kernel: np.ndarray, bias: float) -> bytes:
    graph = (
        data(1, node("Gemm", ["input", "kernel", "bias"], "sum"))
        + data(1, node("Sigmoid", ["sum"], "output"))
        + data(2, "logistic regression")
        + data(5, tensor("kernel", kernel.reshape(-1, 1)))
        + data(5, tensor("bias", np.array([bias])))
        + data(11, matrix("input", len(kernel)))
        + data(12, matrix("output", 1))
    )
    return number(1, 7) + data(7, graph) + data(8, number(2, 13))


if __name__ == "__main__":
    main()
