"""tritonclient, unmodified, over TLS: HTTP and gRPC of a host whose authority is the file that the fifth argument names."""

import sys

import gevent.ssl
import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

from checks import grpc_address, http_address, predictor, report, same

authority = sys.argv[5]


def ask(module, client):
    a, b = (np.arange(6, dtype=np.float32).reshape(shape) for shape in ((2, 3), (3, 2)))
    inputs = [module.InferInput(n, t.shape, "FP32").set_data_from_numpy(t) for n, t in (("a", a), ("b", b))]
    same(client.infer("product", inputs, headers=predictor()).as_numpy("c"), a @ b)


def http():
    ask(httpclient, httpclient.InferenceServerClient(
        http_address, ssl=True, ssl_options={"ca_certs": authority}, ssl_context_factory=gevent.ssl.create_default_context,
    ))


def grpc():
    ask(grpcclient, grpcclient.InferenceServerClient(grpc_address, ssl=True, root_certificates=authority))


report([http, grpc])
