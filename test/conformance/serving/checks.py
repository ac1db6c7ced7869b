"""What the clients' scripts have in common: arguments, samples, numpy as the reference, and how a check's outcome is told."""

import json
import sys
import traceback

import numpy as np

http_address, grpc_address, deploy_token, predict_token = sys.argv[1:5]


def deployer():
    """Headers of a caller that may change what serves. A new dictionary each time: tritonclient writes into what it is given."""
    return {"authorization": f"Bearer {deploy_token}"}


def predictor():
    return {"authorization": f"Bearer {predict_token}"}



_random = np.random.default_rng(7)


def _whole(dtype):
    bounds = np.iinfo(dtype)
    numbers = _random.integers(bounds.min, bounds.max, size=(2, 3), dtype=dtype, endpoint=True)
    numbers[0, 0], numbers[1, 2] = bounds.min, bounds.max
    return numbers


SAMPLES = {
    "BOOL": np.array([[True, False, False], [False, True, True]]),
    "UINT8": _whole(np.uint8),
    "UINT16": _whole(np.uint16),
    "UINT32": _whole(np.uint32),
    "UINT64": _whole(np.uint64),
    "INT8": _whole(np.int8),
    "INT16": _whole(np.int16),
    "INT32": _whole(np.int32),
    "INT64": _whole(np.int64),
    "FP16": _random.standard_normal((2, 3)).astype(np.float16),
    "FP32": _random.standard_normal((2, 3)).astype(np.float32),
    "FP64": _random.standard_normal((2, 3)),
    "BYTES": np.array([["", "zwei", "三"], ["a b", '"', "\n"]], dtype=np.object_),
}


def texts(array):
    """BYTES come back as bytes."""
    return np.vectorize(lambda x: x.decode() if isinstance(x, bytes) else x, otypes=[object])(array)


def same(found, expected):
    """Equal in every element, and of the same shape."""
    if expected.dtype == np.object_:
        found = texts(found)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    assert np.array_equal(found, expected), (found, expected)


def backwards(datatype):
    """What the model `every` answers for its sample."""
    return SAMPLES[datatype][:, ::-1]


def fails(exceptions, call, *words):
    """The call must raise, and the error must say these words."""
    try:
        call()
    except exceptions as error:
        text = f"{error} {getattr(error, 'details', lambda: '')() if callable(getattr(error, 'details', None)) else ''}"
        for word in words:
            assert str(word) in text, (word, text)
        return error
    raise AssertionError(f"nothing was raised; {words} was expected")


def report(checks):
    """Runs the checks one after the other; a line of JSON for each."""
    for check in checks:
        problem = None
        try:
            check()
        except BaseException:
            problem = traceback.format_exc()
        print(json.dumps({"name": check.__name__, "problem": problem}), flush=True)
