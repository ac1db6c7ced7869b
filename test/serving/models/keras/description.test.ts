import { describe, expect, it } from "vitest";
import { openOnnxModel } from "../../../../src/serving/models/onnx-model.ts";
import { floatRows, floatsIn } from "../../../../src/serving/tensors/raw-tensor.ts";
import { convert, layer, sequential, weights } from "./networks.ts";

/** What a converted network answers for one row. */
async function answer(onnx: Uint8Array, row: number[]): Promise<number[]> {
  const model = await openOnnxModel(onnx);
  const [output] = await model.run([floatRows(Float32Array.from(row), 1)]);
  await model.close();
  return [...floatsIn(output)];
}

const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("a description", () => {
  const dense = layer("Dense", { units: 2 });
  const kernel = [weights("dense", { kernel: [4, 2], bias: [2] })];

  it.each([
    ["with an input layer", sequential([4], dense)],
    [
      "with its input's shape in the first layer",
      {
        class_name: "Sequential",
        config: { name: "s", layers: [layer("Dense", { units: 2, batch_input_shape: [null, 4] })] },
      },
    ],
    [
      "with its input's shape beside the layers",
      { class_name: "Sequential", config: { name: "s", layers: [dense], build_input_shape: [null, 4] } },
    ],
    [
      "without its input's shape, which the weights tell",
      { class_name: "Sequential", config: { name: "s", layers: [dense] } },
    ],
    ["that is the bare list of layers", { class_name: "Sequential", config: [dense] }],
  ])("is read %s", async (_, description) => {
    const { onnx, inputs, outputs } = convert(description, kernel);
    expect(inputs).toEqual([{ name: "input", type: "FP32", shape: [4] }]);
    expect(outputs).toMatchObject([{ name: "output", shape: [2] }]);
    expect(await answer(onnx, [1, 0, 0, 0])).toEqual([0, 0.25]);
  });

  it("tells what the numbers mean by the activation that made them", () => {
    const meaning = (...layers: ReturnType<typeof layer>[]) =>
      convert(sequential([4], ...layers), kernel).outputs[0]?.meaning;
    const softmax = layer("Dense", { units: 2, activation: "softmax" });
    expect(meaning(softmax)).toBe("softmax");
    expect(meaning(dense, layer("Activation", { activation: "sigmoid" }))).toBe("sigmoid");
    expect(meaning(softmax, layer("Dropout", { rate: 0.5 }))).toBe("softmax");
    expect(meaning(softmax, layer("Activation", { activation: "relu" }))).toBeUndefined();
    expect(meaning(softmax, layer("Rescaling", { scale: 2 }))).toBeUndefined();
  });

  it("means another function by hard_sigmoid in Keras 2 than in Keras 3", async () => {
    const network = sequential([1], layer("Activation", { activation: "hard_sigmoid" }));
    expect(await answer(convert(network, [], "2.3.1").onnx, [1])).toEqual([expect.closeTo(0.7, 6)]);
    expect(await answer(convert(network, [], "3.15.1").onnx, [1])).toEqual([expect.closeTo(2 / 3, 6)]);
  });

  it("without a version is of Keras 3 if it names modules", async () => {
    const network = sequential([1], layer("Activation", { activation: "hard_sigmoid" }));
    expect(await answer(convert(network).onnx, [1])).toEqual([expect.closeTo(0.7, 6)]);
    expect(await answer(convert({ ...network, module: "keras" }).onnx, [1])).toEqual([expect.closeTo(2 / 3, 6)]);
    expect(await answer(convert({ ...network, keras_version: "2.15.0" }).onnx, [1])).toEqual([expect.closeTo(0.7, 6)]);
  });
});

describe("what is not converted is refused by its name", () => {
  const table: [string, unknown, RegExp][] = [
    ["a layer", sequential([4], layer("LocallyConnected1D")), /layer locallyconnected1d is a LocallyConnected1D/],
    ["a model of a class of its own", { class_name: "MyModel", config: {} }, /the model is a MyModel/],
    [
      "a layer of somebody's own that is called as one of Keras'",
      sequential([4], { ...layer("Dense", { units: 2 }), module: "my_layers" } as never),
      /layer dense is a my_layers.Dense/,
    ],
    [
      "a registered layer of somebody's own",
      sequential([4], { ...layer("Dense", { units: 2 }), registered_name: "Custom>Dense" } as never),
      /layer dense is a Dense, which is not one of Keras' own/,
    ],
    [
      "an operation on tensors",
      sequential([4], { ...layer("Add"), module: "keras.src.ops.numpy" } as never),
      /keras.src.ops.numpy.Add/,
    ],
    [
      "an activation",
      sequential([4], layer("Activation", { activation: "glu" })),
      /layer activation \(Activation\) has the activation "glu"/,
    ],
    [
      "an activation of somebody's own",
      sequential(
        [4],
        layer("Activation", { activation: { class_name: "function", config: "relu", registered_name: "Custom>relu" } }),
      ),
      /has the activation/,
    ],
    [
      "an activation with weights as an option",
      sequential([4], layer("Dense", { units: 2, activation: layer("PReLU") })),
      /has the activation/,
    ],
    [
      "an activation inside of a recurrence",
      sequential([3, 4], layer("LSTM", { units: 2, activation: "selu" })),
      /layer lstm \(LSTM\) has the activation "selu" inside/,
    ],
    [
      "a state that is returned",
      sequential([3, 4], layer("LSTM", { units: 2, return_state: true })),
      /layer lstm \(LSTM\) has the option return_state = true/,
    ],
    ["a state that is kept", sequential([3, 4], layer("GRU", { units: 2, stateful: true })), /option stateful = true/],
    ["time first", sequential([3, 4], layer("SimpleRNN", { units: 2, time_major: true })), /option time_major = true/],
    [
      "directions apart",
      sequential([3, 4], layer("Bidirectional", { layer: layer("LSTM", { units: 2 }), merge_mode: null })),
      /option merge_mode = null/,
    ],
    [
      "an unknown option that is on",
      sequential([4], layer("Dense", { units: 2, sparsity: 0.5 })),
      /layer dense \(Dense\) has the option sparsity = 0.5/,
    ],
    ["a padding", sequential([5, 4], layer("MaxPooling1D", { padding: "reflect" })), /option padding = "reflect"/],
    [
      "windows with gaps, padded, on an open axis",
      sequential(
        [null, 2],
        layer("Conv1D", { filters: 1, kernel_size: 3, strides: 2, dilation_rate: 2, padding: "same" }),
      ),
      /padding same and windows with gaps on an axis of open length/,
    ],
    [
      "an interpolation",
      sequential([4, 4, 1], layer("UpSampling2D", { interpolation: "bicubic" })),
      /option interpolation = "bicubic"/,
    ],
    [
      "a quantized layer",
      sequential(
        [4],
        layer("Dense", {
          units: 2,
          dtype: { class_name: "QuantizedDTypePolicy", config: { name: "int8_from_float32" } },
        }),
      ),
      /option dtype = int8_from_float32/,
    ],
    [
      "renormalization",
      sequential([4], layer("BatchNormalization", { rms_scaling: true })),
      /option rms_scaling = true/,
    ],
    [
      "a sparse input",
      sequential([4], layer("Dense", { units: 2 })).config.layers[0] && {
        class_name: "Sequential",
        config: {
          name: "s",
          layers: [layer("InputLayer", { batch_shape: [null, 4], sparse: true }), layer("Dropout")],
        },
      },
      /input inputlayer is sparse/,
    ],
    [
      "an input of texts",
      {
        class_name: "Sequential",
        config: {
          name: "s",
          layers: [layer("InputLayer", { batch_shape: [null, 4], dtype: "string" }), layer("Dropout")],
        },
      },
      /of type string/,
    ],
    [
      "an open axis where its length matters",
      sequential([null, 4], layer("Flatten")),
      /layer flatten \(Flatten\) takes an axis 1 of open length/,
    ],
    [
      "a layer inside of a TimeDistributed",
      sequential([3, 4], layer("TimeDistributed", { layer: layer("Lambda") })),
      /applies a Lambda/,
    ],
    [
      "a mask that a layer would use",
      sequential(
        [5],
        layer("Embedding", { input_dim: 7, output_dim: 2, mask_zero: true }),
        layer("Dropout", { rate: 0.1 }),
        layer("LSTM", { units: 2 }),
      ),
      /layer lstm \(LSTM\) would be told by a mask/,
    ],
    [
      "a mask that a merge would use",
      sequential(
        [5],
        layer("Embedding", { input_dim: 7, output_dim: 2, mask_zero: true }),
        layer("GlobalAveragePooling1D"),
      ),
      /would be told by a mask/,
    ],
  ];
  const all = [
    weights("dense", { kernel: [4, 2], bias: [2] }),
    weights("lstm", { kernel: [4, 8], recurrent_kernel: [2, 8], bias: [8] }),
    weights("embedding", { embeddings: [7, 2] }),
    weights("conv1d", { kernel: [3, 2, 1], bias: [1] }),
  ];
  it.each(table)("%s", (_, description, message) => {
    const names = JSON.stringify(description);
    const known = all
      .filter((one) => names.includes(`"${one.layer}"`))
      .sort((a, b) => names.indexOf(`"${a.layer}"`) - names.indexOf(`"${b.layer}"`))
      .map((one) =>
        one.layer === "lstm" && names.includes("embedding")
          ? weights("lstm", { kernel: [2, 8], recurrent_kernel: [2, 8], bias: [8] })
          : one,
      );
    expect(() => convert(description, known)).toThrow(refused("E_MODEL_LAYER_UNKNOWN", message));
  });

  it("an argument of a call", () => {
    const tensor = (name: string) => ({ class_name: "__keras_tensor__", config: { keras_history: [name, 0, 0] } });
    const network = (kwargs: unknown, args: unknown[] = [tensor("in")]) => ({
      class_name: "Functional",
      config: {
        name: "f",
        layers: [
          { ...layer("InputLayer", { name: "in", batch_shape: [null, 3, 4] }), inbound_nodes: [] },
          { ...layer("Dropout", { rate: 0.5 }), inbound_nodes: [{ args, kwargs }] },
        ],
        input_layers: [["in", 0, 0]],
        output_layers: [["dropout", 0, 0]],
      },
    });
    expect(convert(network({ training: false, mask: null })).outputs).toHaveLength(1);
    expect(() => convert(network({ training: true }))).toThrow(
      refused("E_MODEL_LAYER_UNKNOWN", /dropout .*argument training/),
    );
    expect(() => convert(network({ mask: tensor("in") }))).toThrow(refused("E_MODEL_LAYER_UNKNOWN", /argument mask/));
    expect(() => convert(network({}, [tensor("in"), 3]))).toThrow(
      refused("E_MODEL_LAYER_UNKNOWN", /something else than tensors/),
    );
    expect(() => convert(network({}, [[tensor("in"), tensor("in")]]))).toThrow(
      refused("E_MODEL_LAYER_UNKNOWN", /called with 2 tensors/),
    );
  });
});

describe("what contradicts itself is refused", () => {
  const functional = (layers: unknown[], input: unknown = [["in", 0, 0]], output: unknown = [["out", 0, 0]]) => ({
    class_name: "Functional",
    config: { name: "f", layers, input_layers: input, output_layers: output },
  });
  const input = { ...layer("InputLayer", { name: "in", batch_shape: [null, 4] }), inbound_nodes: [] };
  const takes = (name: string, ...from: unknown[]) => ({ ...layer("Dropout", { name }), inbound_nodes: [[...from]] });
  const table: [string, unknown, RegExp][] = [
    ["a list", [], /description is not as Keras writes it/],
    ["nothing", null, /description is not as Keras writes it/],
    ["no layers", { class_name: "Sequential", config: { name: "s", layers: [] } }, /model s is not as Keras writes it/],
    ["a layer without units", sequential([4], layer("Dense")), /layer dense \(Dense\) is not as Keras writes it/],
    ["two layers of one name", sequential([4], layer("Dropout"), layer("Dropout")), /two layers of one name/],
    ["a layer that is not there", functional([input, takes("out", ["nobody", 0, 0, {}])]), /no layer nobody/],
    ["a call that is not there", functional([input, takes("out", ["in", 1, 0, {}])]), /call 1 of layer in/],
    [
      "an output that is not there",
      functional([input, takes("out", ["in", 0, 2, {}])]),
      /output 2 of call 0 of layer in/,
    ],
    [
      "a circle",
      functional([input, takes("a", ["out", 0, 0, {}]), takes("out", ["a", 0, 0, {}])]),
      /wait for each other/,
    ],
    ["no inputs", functional([input, takes("out", ["in", 0, 0, {}])], []), /no input_layers/],
    ["no outputs", functional([input, takes("out", ["in", 0, 0, {}])], undefined, []), /no output_layers/],
    [
      "an input that is none",
      functional([input, takes("out", ["in", 0, 0, {}])], [["out", 0, 0]]),
      /out is not an input layer/,
    ],
    [
      "an output of an input that nobody gives",
      functional([input, { ...input, config: { ...input.config, name: "b" } }, takes("out", ["b", 0, 0, {}])]),
      /takes an output of layer b/,
    ],
    ["an axis that is not there", sequential([4], layer("Softmax", { axis: 3 })), /the axis 3 of rows of 1 dimensions/],
    [
      "a window larger than the row",
      sequential([2, 1], layer("MaxPooling1D", { pool_size: 3 })),
      /window of 3 on an axis of length 2/,
    ],
    [
      "a shape of another size",
      sequential([4], layer("Reshape", { target_shape: [3, -1] })),
      /cannot bring 4 values into the shape 3×-1/,
    ],
    ["an order of axes that are not there", sequential([4], layer("Permute", { dims: [2, 1] })), /cannot put the axes/],
    [
      "rows of too few dimensions",
      sequential([4], layer("LSTM", { units: 2, use_bias: false })),
      /takes rows of 2 dimensions, not of 1/,
    ],
    [
      "a row larger than any machine",
      sequential([4], layer("RepeatVector", { n: 1e12 })),
      /4000000000000 numbers a row/,
    ],
    ["an input larger than any machine", sequential([1e6, 1e6], layer("Dropout")), /numbers a row/],
    ["an axis without length", sequential([0], layer("Dropout")), /without length/],
    ["everything cut away", sequential([4, 1], layer("Cropping1D", { cropping: 2 })), /cuts everything away/],
    [
      "a shape that nobody tells",
      { class_name: "Sequential", config: { name: "s", layers: [layer("Dropout")] } },
      /does not tell which rows it takes/,
    ],
  ];
  const known = [weights("lstm", { kernel: [4, 8], recurrent_kernel: [2, 8] })];
  it.each(table)("%s", (_, description, message) => {
    const found = JSON.stringify(description).includes('"lstm"') ? known : [];
    expect(() => convert(description, found)).toThrow(refused("E_MODEL_INVALID", message));
  });

  it("models in models without end", () => {
    let nested: unknown = layer("Dropout");
    for (let depth = 0; depth < 30; depth++)
      nested = {
        class_name: "Sequential",
        config: { name: `m${depth}`, layers: [nested], build_input_shape: [null, 4] },
      };
    expect(() => convert(nested)).toThrow(refused("E_MODEL_INVALID", /nests models more than 16 deep/));
  });

  it("lists in lists without end, and lists without end", () => {
    const deep = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
    expect(() => convert(sequential([4], layer("Dropout", { noise_shape: deep })))).toThrow(
      refused("E_MODEL_INVALID", /nested more than 256 deep/),
    );
    const long = new Array(200_000).fill("x");
    expect(() => convert(sequential([4], layer("Dropout", { noise_shape: long })))).toThrow(
      refused("E_MODEL_INVALID", /a list of 200000 things/),
    );
  });
});
