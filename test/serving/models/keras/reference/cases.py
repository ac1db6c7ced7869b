"""The reference models: for every layer and option that Slipway converts, a tiny network that uses it.

`cases(k, generation)` answers `{name: (build, exact)}` for a Keras module `k` of generation 2 or 3; both make the model with
the module's current default precision. They are the same but for channels-first convolution, which TensorFlow cannot compute
on a CPU: there `exact` makes the channels-last network between two permutations, with the same weights. The options are chosen so that a wrong reading changes the numbers: kernels are not
square, sizes do not divide by strides, axes have different lengths.
"""

BOTH_ACTIVATIONS = [
    "linear", "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign", "exponential", "swish",
    "gelu", "hard_sigmoid", "mish",
]
ACTIVATIONS_OF_3 = [
    "silu", "relu6", "leaky_relu", "log_softmax", "log_sigmoid", "celu", "hard_tanh", "hard_shrink", "soft_shrink",
    "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid", "hard_silu", "hard_swish",
]
RECURRENT_ACTIVATIONS = ["tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "elu", "softsign", "softplus"]


def cases(k, generation):
    L = k.layers
    made = {}

    def case(name):
        def add(build):
            made[name] = (build, build)
            return build
        return add

    def sequential(name, shape, *layers, dtype=None):
        def build():
            return k.Sequential([k.Input(shape, dtype=dtype), *[layer() for layer in layers]])
        made[name] = (build, build)

    def fan(name, shape, layers, dtype=None):
        """One input, and one output for each layer or chain of layers."""
        def build():
            x = k.Input(shape, name="x", dtype=dtype)
            outputs = []
            for make in layers:
                y = x
                for layer in (lambda m: m if isinstance(m, list) else [m])(make()):
                    y = layer(y)
                outputs.append(y)
            return k.Model(x, outputs)
        made[name] = (build, build)

    def channels_first(name, shape, layers):
        """As `fan`; each of `layers` takes the data format."""
        def build(exact):
            x = k.Input(shape, name="x")
            rank = len(shape)
            outputs = []
            for make in layers:
                if not exact:
                    outputs.append(make("channels_first")(x))
                    continue
                y = make("channels_last")(L.Permute((*range(2, rank + 1), 1))(x))
                outputs.append(L.Permute((rank, *range(1, rank)))(y) if len(y.shape) == rank + 1 else y)
            return k.Model(x, outputs)
        made[name] = (lambda: build(False), lambda: build(True))

    activations = BOTH_ACTIVATIONS + (ACTIVATIONS_OF_3 if generation == 3 else [])

    # --- core -------------------------------------------------------------------------------------------------------
    sequential("dense-binary", (4,), lambda: L.Dense(5, activation="relu"), lambda: L.Dropout(0.5),
               lambda: L.Dense(1, activation="sigmoid"))
    sequential("dense-classes", (4,), lambda: L.Dense(3, use_bias=False, activation="tanh"), lambda: L.Dense(3),
               lambda: L.Activation("softmax"))
    sequential("compiled", (4,), lambda: L.Dense(3, activation="relu"), lambda: L.Dropout(0.2), lambda: L.BatchNormalization(),
               lambda: L.Dense(1, activation="sigmoid"))
    sequential("dense-values", (4,), lambda: L.Dense(2))
    sequential("dense-labels", (4,), lambda: L.Dense(3, activation="sigmoid"))
    sequential("dense-rank-3", (3, 4), lambda: L.Dense(5, activation="softmax"), lambda: L.Dense(2, use_bias=False))
    fan("dense-activations", (4,), [lambda a=a: L.Dense(3, activation=a, name=f"dense_{a}") for a in activations])
    fan("activations", (2, 3), [lambda a=a: L.Activation(a, name=f"act_{a}") for a in activations])
    slope = "negative_slope" if generation == 3 else "alpha"
    fan("advanced-activations", (4, 3), [
        lambda: L.LeakyReLU(),
        lambda: L.LeakyReLU(**{slope: 0.15}),
        lambda: L.PReLU(),
        lambda: L.PReLU(shared_axes=[1]),
        lambda: L.ELU(),
        lambda: L.ELU(alpha=0.6),
        lambda: L.ReLU(),
        lambda: L.ReLU(max_value=0.9),
        lambda: L.ReLU(negative_slope=0.2, threshold=0.3),
        lambda: L.ReLU(max_value=1.1, negative_slope=0.2, threshold=0.3),
        lambda: L.ReLU(threshold=0.3),
        lambda: L.Softmax(),
        lambda: L.Softmax(axis=1),
        *([lambda: L.Softmax(axis=(1, 2))] if generation == 3 else []),
    ])
    if generation == 3:
        sequential("activation-layer-as-option", (4,), lambda: L.Dense(3, activation=L.LeakyReLU(negative_slope=0.4)),
                   lambda: L.Dense(2, activation=L.ReLU(max_value=0.5)))
    fan("identities", (4, 3), [
        lambda: L.Dropout(0.3), lambda: L.SpatialDropout1D(0.3), lambda: L.GaussianNoise(0.3),
        lambda: L.GaussianDropout(0.3), lambda: L.AlphaDropout(0.3), lambda: L.ActivityRegularization(l1=0.1),
        *([lambda: L.Identity()] if generation == 3 else []),
    ])
    fan("identities-2d", (4, 3, 2), [lambda: L.SpatialDropout2D(0.3), lambda: L.SpatialDropout2D(0.3, data_format="channels_first")])
    sequential("embedding", (5,), lambda: L.Embedding(7, 3), lambda: L.Flatten(), lambda: L.Dense(2), dtype="int32")
    sequential("embedding-of-floats", (5,), lambda: L.Embedding(7, 3))
    sequential("embedding-mask-dropped", (5,), lambda: L.Embedding(7, 3, mask_zero=True), lambda: L.Dense(2), dtype="int32")

    # --- shape ------------------------------------------------------------------------------------------------------
    fan("flatten", (2, 3, 4), [lambda: L.Flatten(), lambda: L.Flatten(data_format="channels_first")])
    fan("reshape", (2, 3, 4), [lambda: L.Reshape((6, 4)), lambda: L.Reshape((4, -1)), lambda: L.Reshape((-1,)),
                               lambda: L.Permute((3, 1, 2)), lambda: L.Permute((2, 1, 3))])
    fan("repeat-vector", (3,), [lambda: L.RepeatVector(4)])
    fan("pad-crop-1d", (6, 2), [lambda: L.ZeroPadding1D(2), lambda: L.ZeroPadding1D((1, 3)), lambda: L.Cropping1D(1),
                                lambda: L.Cropping1D((2, 1)), lambda: L.UpSampling1D(3)])
    fan("pad-crop-2d", (5, 6, 2), [
        lambda: L.ZeroPadding2D(1), lambda: L.ZeroPadding2D((1, 2)), lambda: L.ZeroPadding2D(((1, 0), (2, 3))),
        lambda: L.ZeroPadding2D((1, 2), data_format="channels_first"),
        lambda: L.Cropping2D(1), lambda: L.Cropping2D((1, 2)), lambda: L.Cropping2D(((1, 0), (2, 3))),
        lambda: L.Cropping2D((1, 0), data_format="channels_first"),
        lambda: L.UpSampling2D(2), lambda: L.UpSampling2D((2, 3)),
        lambda: L.UpSampling2D((2, 3), interpolation="bilinear"),
        lambda: L.UpSampling2D((2, 3), data_format="channels_first"),
    ])

    # --- convolution ------------------------------------------------------------------------------------------------
    fan("conv1d", (9, 4), [
        lambda: L.Conv1D(3, 2), lambda: L.Conv1D(3, 3, strides=2, padding="same", activation="relu"),
        lambda: L.Conv1D(3, 2, strides=2, padding="same"),
        lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2), lambda: L.Conv1D(3, 3, strides=2, padding="causal"),
        lambda: L.Conv1D(3, 3, dilation_rate=2, use_bias=False), lambda: L.Conv1D(3, 3, dilation_rate=3, padding="same"),
        lambda: L.Conv1D(6, 3, groups=2), lambda: L.Conv1D(2, 3, activation="softmax"),
    ])
    fan("conv2d", (7, 6, 2), [
        lambda: L.Conv2D(3, (2, 3)), lambda: L.Conv2D(3, 3, strides=(2, 3), padding="same", activation="tanh"),
        lambda: L.Conv2D(3, (2, 4), strides=2, padding="same"), lambda: L.Conv2D(3, 3, strides=(3, 2), use_bias=False),
        lambda: L.Conv2D(3, 2, dilation_rate=(2, 3)), lambda: L.Conv2D(3, 3, dilation_rate=2, padding="same"),
        lambda: L.Conv2D(4, 2, groups=2), lambda: L.Conv2D(4, 1), lambda: L.Conv2D(3, 1, strides=2, padding="same"),
        lambda: L.Conv2D(3, (1, 2), strides=3, padding="same"),
    ])
    fan("depthwise-separable", (7, 6, 2), [
        lambda: L.DepthwiseConv2D(3), lambda: L.DepthwiseConv2D((2, 3), depth_multiplier=2, padding="same", activation="relu"),
        lambda: L.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
        lambda: L.DepthwiseConv2D(2, dilation_rate=2),
        lambda: L.SeparableConv2D(3, 2), lambda: L.SeparableConv2D(3, (2, 3), depth_multiplier=2, padding="same", activation="elu"),
        lambda: L.SeparableConv2D(3, 3, strides=2, use_bias=False), lambda: L.SeparableConv2D(3, 2, dilation_rate=2, padding="same"),
    ])
    fan("depthwise-separable-1d", (9, 2), [
        lambda: L.DepthwiseConv1D(3, depth_multiplier=2), lambda: L.DepthwiseConv1D(2, strides=2, padding="same", use_bias=False),
        lambda: L.SeparableConv1D(3, 2, depth_multiplier=2), lambda: L.SeparableConv1D(3, 3, strides=2, padding="same"),
        *([lambda: L.SeparableConv1D(3, 3, padding="causal", dilation_rate=2)] if generation == 2 else []),
    ])
    sequential("cnn", (8, 8, 1), lambda: L.Conv2D(3, 3, activation="relu"), lambda: L.BatchNormalization(),
               lambda: L.MaxPooling2D(2), lambda: L.Conv2D(4, 2, padding="same"), lambda: L.Activation("relu"),
               lambda: L.GlobalAveragePooling2D(), lambda: L.Dense(3, activation="softmax"))
    channels_first("pooling-1d-channels-first", (3, 7), [
        lambda f: L.MaxPooling1D(2, data_format=f), lambda f: L.AveragePooling1D(3, strides=2, padding="same", data_format=f),
    ])
    sequential("conv-open-length", (None, 3), lambda: L.Conv1D(4, 3, strides=2, padding="same", activation="relu"),
               lambda: L.Conv1D(4, 2, padding="causal"), lambda: L.Conv1D(4, 3, dilation_rate=2, padding="same"), lambda: L.MaxPooling1D(1, padding="same"), lambda: L.GlobalMaxPooling1D(),
               lambda: L.Dense(2))

    channels_first("conv1d-channels-first", (4, 9), [
        lambda f: L.Conv1D(3, 2, strides=2, padding="same", data_format=f), lambda f: L.Conv1D(6, 3, groups=2, data_format=f),
        lambda f: L.DepthwiseConv1D(3, data_format=f), lambda f: L.SeparableConv1D(3, 3, padding="same", data_format=f),
    ])
    channels_first("conv2d-channels-first", (2, 7, 6), [
        lambda f: L.Conv2D(3, (2, 3), strides=2, padding="same", activation="relu", data_format=f),
        lambda f: L.Conv2D(3, (2, 3), use_bias=False, dilation_rate=2, data_format=f),
        lambda f: L.DepthwiseConv2D((2, 3), depth_multiplier=2, data_format=f), lambda f: L.SeparableConv2D(3, 3, data_format=f),
        lambda f: L.MaxPooling2D((3, 2), strides=2, padding="same", data_format=f),
        lambda f: L.AveragePooling2D((2, 3), strides=2, padding="same", data_format=f),
    ])

    # --- pooling ----------------------------------------------------------------------------------------------------
    fan("pooling-1d", (7, 3), [
        lambda: L.MaxPooling1D(), lambda: L.MaxPooling1D(3, strides=2, padding="same"), lambda: L.MaxPooling1D(2, strides=3),
        lambda: L.AveragePooling1D(2), lambda: L.AveragePooling1D(3, strides=2, padding="same"), lambda: L.AveragePooling1D(4, strides=1, padding="same"),
        lambda: L.GlobalMaxPooling1D(), lambda: L.GlobalAveragePooling1D(), lambda: L.GlobalAveragePooling1D(keepdims=True),
        lambda: L.GlobalMaxPooling1D(data_format="channels_first"), lambda: L.GlobalAveragePooling1D(data_format="channels_first"),
    ])
    fan("pooling-2d", (7, 6, 3), [
        lambda: L.MaxPooling2D(), lambda: L.MaxPooling2D((3, 2), strides=(2, 1), padding="same"), lambda: L.MaxPooling2D(2, strides=3),
        lambda: L.AveragePooling2D(2), lambda: L.AveragePooling2D((3, 4), strides=(2, 3), padding="same"),
        lambda: L.MaxPooling2D(1, strides=2, padding="same"), lambda: L.AveragePooling2D(2, strides=3, padding="same"),
        lambda: L.GlobalMaxPooling2D(), lambda: L.GlobalAveragePooling2D(), lambda: L.GlobalMaxPooling2D(keepdims=True),
        lambda: L.GlobalMaxPooling2D(data_format="channels_first"), lambda: L.GlobalAveragePooling2D(data_format="channels_first", keepdims=True),
    ])

    # --- normalization ----------------------------------------------------------------------------------------------
    fan("batch-normalization", (3, 4), [
        lambda: L.BatchNormalization(), lambda: L.BatchNormalization(axis=1, epsilon=0.01), lambda: L.BatchNormalization(scale=False),
        lambda: L.BatchNormalization(center=False), lambda: L.BatchNormalization(center=False, scale=False),
    ])
    fan("layer-normalization", (3, 4), [
        lambda: L.LayerNormalization(), lambda: L.LayerNormalization(axis=1, epsilon=0.01), lambda: L.LayerNormalization(axis=[1, 2]),
        lambda: L.LayerNormalization(center=False), lambda: L.LayerNormalization(scale=False),
    ])
    fan("normalization", (3, 4), [
        lambda: L.Normalization(), lambda: L.Normalization(axis=1), lambda: L.Normalization(axis=(1, 2)), lambda: L.Normalization(axis=None),
        lambda: L.Normalization(invert=True), lambda: L.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 2.0, 0.5, 3.0]),
        lambda: L.Normalization(axis=None, mean=2.5, variance=0.7),
        lambda: L.Rescaling(1 / 255), lambda: L.Rescaling(0.5, offset=-1.5),
        *([lambda: L.Rescaling([0.1, 0.2, 0.3, 0.4], offset=[1.0, 2.0, 3.0, 4.0])] if generation == 3 else []),
    ])

    # --- recurrent --------------------------------------------------------------------------------------------------
    for name, layer in [("simple-rnn", L.SimpleRNN), ("lstm", L.LSTM), ("gru", L.GRU)]:
        fan(name, (5, 3), [
            lambda layer=layer: layer(4), lambda layer=layer: layer(4, return_sequences=True), lambda layer=layer: layer(4, go_backwards=True),
            lambda layer=layer: layer(4, go_backwards=True, return_sequences=True), lambda layer=layer: layer(4, use_bias=False),
            lambda layer=layer: layer(4, dropout=0.2, recurrent_dropout=0.2),
        ])
        fan(f"{name}-activations", (5, 3), [lambda a=a, layer=layer: layer(2, activation=a) for a in RECURRENT_ACTIVATIONS])
        fan(f"{name}-bidirectional", (5, 3), [
            lambda layer=layer: L.Bidirectional(layer(4)),
            *[lambda m=m, layer=layer: L.Bidirectional(layer(4, return_sequences=True), merge_mode=m) for m in ["concat", "sum", "mul", "ave"]],
            lambda layer=layer: L.Bidirectional(layer(2), backward_layer=layer(3, go_backwards=True)),
            *([lambda layer=layer: L.Bidirectional(layer(2, go_backwards=True, return_sequences=True))] if generation == 2 else []),
        ])
    fan("lstm-gates", (5, 3), [lambda a=a: L.LSTM(2, recurrent_activation=a) for a in RECURRENT_ACTIVATIONS])
    fan("gru-gates", (5, 3), [lambda a=a: L.GRU(2, recurrent_activation=a) for a in RECURRENT_ACTIVATIONS])
    fan("gru-reset-before", (5, 3), [
        lambda: L.GRU(4, reset_after=False), lambda: L.GRU(4, reset_after=False, use_bias=False, return_sequences=True),
        lambda: L.Bidirectional(L.GRU(4, reset_after=False)),
    ])
    sequential("text", (6,), lambda: L.Embedding(9, 4), lambda: L.Bidirectional(L.LSTM(3, return_sequences=True)), lambda: L.GRU(3),
               lambda: L.Dense(1, activation="sigmoid"), dtype="int32")
    sequential("rnn-open-length", (None, 3), lambda: L.LSTM(4, return_sequences=True), lambda: L.GRU(3, go_backwards=True), lambda: L.Dense(2))
    fan("time-distributed", (4, 6, 2), [
        lambda: L.TimeDistributed(L.Dense(3, activation="softmax")), lambda: L.TimeDistributed(L.Conv1D(3, 2)),
        lambda: L.TimeDistributed(L.Flatten()), lambda: L.TimeDistributed(L.LSTM(2)), lambda: L.TimeDistributed(L.MaxPooling1D(2)),
        lambda: L.TimeDistributed(L.Dropout(0.3)), lambda: L.TimeDistributed(L.BatchNormalization()),
    ])
    sequential("time-distributed-open-length", (None, 4), lambda: L.TimeDistributed(L.Dense(3, activation="relu")), lambda: L.LSTM(2))

    # --- merging and graphs -----------------------------------------------------------------------------------------
    @case("merge")
    def merge():
        a, b, c = k.Input((3, 4), name="a"), k.Input((3, 4), name="b"), k.Input((3, 4), name="c")
        return k.Model([a, b, c], [
            L.Add()([a, b, c]), L.Subtract()([a, b]), L.Multiply()([a, b, c]), L.Average()([a, b, c]), L.Maximum()([a, b, c]),
            L.Minimum()([a, b, c]), L.Concatenate()([a, b]), L.Concatenate(axis=1)([a, b, c]), L.Concatenate(axis=-2)([a, b]),
        ])

    @case("merge-broadcast")
    def merge_broadcast():
        a, b, c = k.Input((3, 4), name="a"), k.Input((1, 4), name="b"), k.Input((4,), name="c")
        return k.Model([a, b, c], [L.Add()([a, b]), L.Multiply()([b, a]), L.Add()([a, c]), L.Maximum()([c, a])])

    @case("residual")
    def residual():
        x = k.Input((6, 6, 2), name="image")
        y = L.Conv2D(2, 3, padding="same")(x)
        y = L.BatchNormalization()(y)
        y = L.ReLU()(L.Add()([x, y]))
        return k.Model(x, L.Dense(3, activation="softmax", name="kind")(L.GlobalAveragePooling2D()(y)))

    @case("several")
    def several():
        numbers, words = k.Input((4,), name="numbers"), k.Input((5,), name="words", dtype="int32")
        text = L.LSTM(3, name="reader")(L.Embedding(8, 2, name="dictionary")(words))
        both = L.Concatenate(name="both")([numbers, text])
        return k.Model([words, numbers], [L.Dense(2, activation="softmax", name="kind")(both), L.Dense(1, name="size")(both)])

    @case("shared-layer")
    def shared_layer():
        a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
        dense = L.Dense(2, activation="tanh", name="twice")
        return k.Model([a, b], L.Subtract(name="difference")([dense(a), dense(b)]))

    @case("nested")
    def nested():
        inner = k.Sequential([k.Input((3,)), L.Dense(4, activation="relu", name="inner_dense"), L.BatchNormalization(name="inner_norm")], name="inner")
        x = k.Input((3,), name="inner_input")
        y = L.Dense(2, name="deep_dense")(inner(x))
        deep = k.Model(x, [y, L.Activation("tanh", name="deep_tanh")(y)], name="deep")
        a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
        first, second = deep(a), deep(b)
        return k.Model([a, b], [L.Add(name="sum")([first[0], second[1]]), L.Dense(1, name="end")(first[1])])

    @case("nested-frozen")
    def nested_frozen():
        inner = k.Sequential([k.Input((3,)), L.BatchNormalization(), L.Dense(4, activation="relu"), L.BatchNormalization(trainable=False), L.Dense(3, trainable=False)], name="inner")
        return k.Sequential([k.Input((3,)), inner, L.Dense(2)])

    @case("nested-first")
    def nested_first():
        head = k.Sequential([k.Input((3,)), L.Dense(4, activation="relu")], name="head")
        model = k.Sequential([head, L.Dense(2, activation="softmax")])
        model.build((None, 3))
        return model

    @case("same-twice")
    def same_twice():
        x = k.Input((3,), name="x")
        return k.Model(x, L.Multiply()([x, L.Add()([x, x])]))

    return made
