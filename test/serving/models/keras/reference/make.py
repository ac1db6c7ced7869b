"""Makes the reference models and their outputs: `python make.py` writes `cases.tar.zst` beside itself (see README.md)."""

import base64
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import warnings

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore", TF_ENABLE_ONEDNN_OPTS="0", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")
warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).resolve().parent
ROWS = 3


def seeded_weights(model, rng):
    """Weights that make outputs of about 1: float32 numbers, also where the model computes in float64."""
    import numpy as np

    def value(weight):
        name = getattr(weight, "path", weight.name).split("/")[-1].split(":")[0]
        shape = tuple(weight.shape)
        if "count" in name:
            return np.array(10)
        if "variance" in name:
            return rng.uniform(0.5, 2, shape)
        if name == "gamma":
            return rng.uniform(0.5, 1.5, shape)
        return rng.normal(0, 0.5, shape)

    return [np.asarray(value(weight)).astype("float32") for weight in model.weights]


def inputs_for(model, rng):
    import numpy as np

    def values(tensor):
        shape = [ROWS, *[size or 7 for size in tensor.shape[1:]]]
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        if dtype == "int32" or feeds_embedding(model):
            return rng.integers(0, 7, shape).astype(dtype)
        return rng.normal(0, 1, shape).astype("float32")

    return [values(tensor) for tensor in model.inputs]


def feeds_embedding(model):
    return any(type(layer).__name__ == "Embedding" for layer in model.layers) and len(model.inputs) == 1


def with_precision(k, precision, build):
    getattr(k, "config", k.backend).set_floatx(precision)
    if hasattr(k, "config"):
        k.config.set_dtype_policy(precision)
    else:
        k.mixed_precision.set_global_policy(precision)
    k.backend.clear_session()
    return build()


def set_weights(model, weights):
    model.set_weights(weights)
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # a Normalization computes with what it took from its weights
            layer.finalize_state()


def write_case(k, generation, name, build, build_exact, folder):
    import numpy as np

    rng = np.random.default_rng(list(name.encode()))
    model = with_precision(k, "float32", build)
    if name == "compiled":  # a file then holds an optimizer's state as well
        model.compile("adam", "mse")
        model.train_on_batch(*[np.zeros((ROWS, *tensor.shape[1:])) for tensor in [*model.inputs, *model.outputs]])
    weights = seeded_weights(model, rng)
    set_weights(model, weights)
    inputs = inputs_for(model, rng)
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    (folder / "pair").mkdir()
    (folder / "pair" / "model.json").write_text(model.to_json())
    model.save_weights(folder / "weights.weights.h5" if generation == 3 else folder / "pair" / "model.h5")
    if generation == 3:
        (folder / "weights.weights.h5").rename(folder / "pair" / "model.h5")

    exact = with_precision(k, "float64", build_exact)
    set_weights(exact, [weight.astype("float64") for weight in weights])
    outputs = exact([value.astype("float64") if value.dtype == "float32" else value for value in inputs], training=False)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    # TensorFlow interpolates images in float32 whatever they are
    assert name == "pad-crop-2d" or all("float64" in str(output.dtype) for output in outputs), name
    describe = lambda values, encode: [
        {"shape": list(value.shape), "dtype": str(value.dtype), "values": encode(np.ascontiguousarray(value))} for value in values
    ]
    (folder / "expected.json").write_text(json.dumps({
        "inputs": describe(inputs, lambda value: value.ravel().tolist()),
        "inputNames": [tensor.name.split(":")[0] for tensor in model.inputs],
        "outputs": describe([np.asarray(output) for output in outputs], lambda value: [float(f"{x:.10g}") for x in value.ravel()]),
    }))


def write_hostile(source, folder):
    """Whole models as HDF5 whose first array is not what it should be: in another file, or larger than any memory."""
    import h5py
    import numpy as np

    def external_storage(group, name, shape):
        group.create_dataset(name, shape=shape, dtype="<f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])

    def external_link(group, name, shape):
        group[name] = h5py.ExternalLink("/proc/self/exe", "/kernel")

    def virtual(group, name, shape):
        layout = h5py.VirtualLayout(shape=shape, dtype="<f4")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "kernel", shape=shape)
        group.create_virtual_dataset(name, layout)

    def endless(group, name, shape):
        group.create_dataset(name, shape=(2**20, 2**20), dtype="<f4", chunks=(1024, 1024), compression="gzip")

    def circle(group, name, shape):
        group[name] = group

    def texts(group, name, shape):
        group.create_dataset(name, data=np.array([b"x"] * shape[0]))

    for spoil in [external_storage, external_link, virtual, endless, circle, texts]:
        target = folder / spoil.__name__.replace("_", "-") / "model.h5"
        target.parent.mkdir(parents=True)
        target.write_bytes(source.read_bytes())
        with h5py.File(target, "a") as file:
            group = file["model_weights/dense"]
            name = group.attrs["weight_names"][0]
            shape = group[name].shape
            del group[name]
            spoil(group, name, shape)


def write_generation(generation, folder, only):
    if generation == 3:
        import keras as k
    else:
        import tf_keras as k
    from absl import logging
    from cases import cases

    logging.set_verbosity(logging.ERROR)

    for name, builds in cases(k, generation).items():
        if not only or name in only:
            write_case(k, generation, name, *builds, folder / f"keras{generation}" / name)
            print(f"keras{generation}/{name}", flush=True)


def repacked(path):
    """A `.keras` file as Keras wrote it, with times that do not change from run to run."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            target.writestr(zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0)), source.read(info))
    return out.getvalue()


def pack(folder):
    import zstandard

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        files = [path for path in folder.rglob("*") if path.is_file()]
        # like beside like: the compressor then finds what they share
        for path in sorted(files, key=lambda path: (path.name, path.parent.name, str(path))):
            content = repacked(path) if path.suffix == ".keras" else path.read_bytes()
            info = tarfile.TarInfo(str(path.relative_to(folder)))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    compressor = zstandard.ZstdCompressor(level=19, compression_params=None)
    (HERE / "cases.tar.zst").write_bytes(compressor.compress(out.getvalue()))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.path.insert(0, str(HERE))
        write_generation(int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:])
    else:
        with tempfile.TemporaryDirectory() as folder:
            for generation in ["2", "3"]:  # both in one process would share TensorFlow's state
                subprocess.run([sys.executable, __file__, generation, folder], check=True)
            write_hostile(pathlib.Path(folder, "keras2", "dense-values", "model.h5"), pathlib.Path(folder, "hostile"))
            pack(pathlib.Path(folder))
