"""BentoML with adaptive batching: `bentoml serve bento_app:Net`, the model's path in MODEL."""

import os

import bentoml
import numpy
import onnxruntime


@bentoml.service(workers=int(os.environ.get("WORKERS", "1")), traffic={"timeout": 30}, logging={"access": {"enabled": False}})
class Net:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["MODEL"], options, providers=["CPUExecutionProvider"]
        )

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=64, max_latency_ms=1000)
    def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.session.run(None, {"input": rows.astype(numpy.float32)})[0]
