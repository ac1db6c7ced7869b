"""Trains the example model in two variants and writes what Slipway serves and tests against.

production/   hidden activations sigmoid      development/   hidden activations relu
  model.json    the network's description (Keras 2)
  model.h5      its weights alone
  golden.json   rows with the outputs that Keras computes for them
test/serving/fixtures/full-model/   the development network saved as a whole (`model.save`), with golden.json

Usage: python train.py    after generate_data.py; needs the packages of requirements.txt. About two minutes on one core.
"""

import json
import os
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU sums in another order
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf
import tf_keras as keras

SEED = 7
EPOCHS = 250
TOLERANCE = 1e-5
CLASS_THRESHOLD = 0.5
# No golden output of a real row may lie so close to the threshold that rounding could turn its class.
LEAST_MARGIN = 0.01

HERE = Path(__file__).parent
FIXTURE = HERE.parents[1] / "test" / "serving" / "fixtures" / "full-model"
HIDDEN_ACTIVATION = {"production": "sigmoid", "development": "relu"}

# Beside the rows of production/data.csv: everything at its lowest and at its highest, where float32 has the least room.
EDGE_ROWS = [[0, 0, 0, 0, 0, 0, 0.078, 21], [17, 199, 122, 99, 846, 67.1, 2.42, 81]]


def network(activation: str) -> keras.Sequential:
    """8-12-8-1 over raw measurements; the layers are named, else their names count up with every network in the process."""
    model = keras.Sequential(
        [
            keras.layers.Dense(12, activation=activation, input_shape=(8,), name="dense_1"),
            keras.layers.Dense(8, activation=activation, name="dense_2"),
            keras.layers.Dense(1, activation="sigmoid", name="dense_3"),
        ],
        name="diabetes",
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def train(activation: str, table: np.ndarray) -> keras.Sequential:
    keras.utils.set_random_seed(SEED)
    model = network(activation)
    model.fit(table[:, :8], table[:, 8], epochs=EPOCHS, batch_size=10, verbose=0)
    return model


def write_golden(folder: Path, model: keras.Sequential, rows: np.ndarray) -> np.ndarray:
    outputs = model.predict(rows.astype("float32"), verbose=0)[:, 0]
    golden = {
        "source": f"keras {keras.__version__}",
        "tolerance": TOLERANCE,
        "rows": rows.tolist(),
        "outputs": [float(output) for output in outputs],
    }
    members = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in golden.items())
    (folder / "golden.json").write_text(f"{{\n{members}\n}}\n", encoding="ascii")
    return outputs


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()

    known = np.loadtxt(HERE / "development" / "data.csv", delimiter=",", skiprows=1)
    unseen = np.loadtxt(HERE / "production" / "data.csv", delimiter=",", skiprows=1)
    golden_rows = np.vstack([unseen[:, :8], EDGE_ROWS])
    classes = {}
    for variant, activation in HIDDEN_ACTIVATION.items():
        folder = HERE / variant
        model = train(activation, known)
        (folder / "model.json").write_text(model.to_json(), encoding="ascii")
        model.save_weights(folder / "model.h5", save_format="h5")
        outputs = write_golden(folder, model, golden_rows)[: len(unseen)]
        classes[variant] = (outputs > CLASS_THRESHOLD).astype(int)
        _, accuracy = model.evaluate(known[:, :8], known[:, 8], verbose=0)
        print(f"{variant}: accuracy {accuracy:.4f} on its {len(known)} training rows, classes {classes[variant].tolist()}")
        if np.abs(outputs - CLASS_THRESHOLD).min() < LEAST_MARGIN:
            raise SystemExit("an output lies too close to the threshold: take another seed")
    if (classes["production"] == classes["development"]).all():
        raise SystemExit("the variants cannot be told apart by their classes: take another seed")

    FIXTURE.mkdir(parents=True, exist_ok=True)
    model.save(FIXTURE / "model.h5", save_format="h5")
    write_golden(FIXTURE, model, golden_rows)


if __name__ == "__main__":
    main()
