"""LitServe with its batching, as its documentation recommends: MODEL.onnx PORT."""

import sys

import litserve
import numpy
import onnxruntime

MODEL, PORT = sys.argv[1], int(sys.argv[2])


class Net(litserve.LitAPI):
    def setup(self, device):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        return numpy.asarray(request["rows"][0], dtype=numpy.float32)

    def predict(self, rows):
        return self.session.run(None, {"input": rows})[0]

    def encode_response(self, output):
        probability = float(output[0])
        return {"predictions": [{"probability": probability, "class": int(probability > 0.5)}]}


if __name__ == "__main__":
    api = Net(max_batch_size=64, batch_timeout=0.002, api_path="/predict")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, generate_client_file=False, log_level="warning")
