"""Write Keras models of many kinds, each as ``.keras`` and ``.h5``, with an input and Keras' own output.

Run with the folder to write to: Keras chooses its backend when it is imported, so it gets a process of its own.
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import layers as kl

STEPS, BATCH, INPUTS, HIDDEN, CLASSES = 7, 2, 3, 5, 4


def source(**options):
    return kl.Input((None, INPUTS), **options)


def chain(*layers):
    return keras.Sequential([source(), *layers])


def lstm(units=HIDDEN, **options):
    return kl.LSTM(units, **options)


def every(units=HIDDEN, **options):
    return lstm(units, return_sequences=True, **options)


def functional(build):
    x = source()
    return keras.Model(x, build(x))


def two_heads(x):
    y = every(name="cell")(x)
    return [kl.Dense(CLASSES, name="policy")(y), kl.Dense(1, name="value")(kl.Dropout(0.3)(y))]


def last_state(x):
    _, h, _ = lstm(name="cell", return_state=True)(x)
    return kl.Dense(CLASSES, name="out")(h)


def picked_step(x):
    return kl.Dense(CLASSES, name="out")(every(name="cell")(x)[:, -1, :])


def another_step(x):
    return kl.Dense(CLASSES, name="out")(every(name="cell")(x)[:, 0])


def cell_state(x):
    _, _, c = lstm(name="cell", return_state=True)(x)
    return kl.Dense(CLASSES, name="out")(c)


def encoder_and_decoder(x):
    _, *states = lstm(name="encoder", return_state=True)(x)
    return every(name="decoder")(x, initial_state=states)


def residual(x):
    y = every(INPUTS, name="cell")(x)
    return kl.Dense(CLASSES, name="out")(kl.Add(name="sum")([x, y]))


def random_dropout(x):
    return kl.Dense(CLASSES, name="out")(kl.Dropout(0.5, name="noise")(lstm(name="cell")(x), training=True))


def mask_given(x):
    return lstm(name="cell")(x, mask=keras.ops.any(keras.ops.not_equal(x, 0), -1))


def shared(x):
    cell = every(INPUTS, name="cell")
    return cell(cell(x))


class Own(keras.Model):
    """A subclassed model."""

    def __init__(self, **options):
        super().__init__(**options)
        self.cell = lstm()

    def call(self, x):
        return self.cell(x)


def subclassed():
    model = Own()
    model(np.zeros((BATCH, STEPS, INPUTS), np.float32))
    return model


MODELS = {
    "last_step": lambda: chain(lstm(name="cell"), kl.Dense(CLASSES, name="out")),
    "stacked": lambda: chain(
        every(6), kl.Dropout(0.2), every(4), lstm(), kl.Dense(CLASSES, activation="softmax")
    ),
    "every_step": lambda: chain(every(), kl.TimeDistributed(kl.Dense(CLASSES, activation="sigmoid"))),
    "dense_on_steps": lambda: chain(every(), kl.Dense(CLASSES, use_bias=False)),
    "no_bias": lambda: chain(every(use_bias=False), kl.Dense(CLASSES)),
    "no_head": lambda: chain(every(dropout=0.2, recurrent_dropout=0.3, unroll=False)),
    "stateful": lambda: keras.Sequential(
        [kl.Input(batch_shape=(BATCH, None, INPUTS)), lstm(stateful=True, name="cell"), kl.Dense(CLASSES)]
    ),
    "go_backwards": lambda: chain(every(6, go_backwards=True), lstm(name="top"), kl.Dense(CLASSES)),
    "two_linear": lambda: chain(lstm(), kl.Dense(6, name="wide"), kl.Dropout(0.1), kl.Dense(2, name="out")),
    "forget_bias": lambda: chain(lstm(unit_forget_bias=False, kernel_regularizer="l2"), kl.Dense(1)),
    "two_heads": lambda: functional(two_heads),
    "last_state": lambda: functional(last_state),
    "bidirectional": lambda: chain(kl.Bidirectional(every(), name="both")),
    "bidirectional_sum": lambda: chain(
        kl.Bidirectional(every(), merge_mode="sum", name="both"), kl.Dense(CLASSES, name="out")
    ),
    "embedding": lambda: keras.Sequential(
        [kl.Input((None,)), kl.Embedding(9, INPUTS, name="words"), lstm(), kl.Dense(CLASSES)]
    ),
    "convolution": lambda: chain(
        kl.Conv1D(INPUTS, 3, padding="same", name="conv"), lstm(), kl.Dense(CLASSES)
    ),
    "hidden_dense": lambda: chain(
        lstm(name="cell"), kl.Dense(6, activation="relu", name="hidden"), kl.Dense(CLASSES)
    ),
    "normalised": lambda: chain(
        every(name="cell"), kl.LayerNormalization(name="norm"), kl.Dense(CLASSES, name="out")
    ),
    "masked": lambda: chain(kl.Masking(name="mask"), lstm(), kl.Dense(CLASSES)),
    "mask_zero": lambda: keras.Sequential(
        [kl.Input((None,)), kl.Embedding(9, INPUTS, mask_zero=True, name="words"), lstm(), kl.Dense(CLASSES)]
    ),
    "hard_sigmoid": lambda: chain(lstm(recurrent_activation="hard_sigmoid", name="cell"), kl.Dense(CLASSES)),
    "relu": lambda: chain(lstm(activation="relu", name="cell"), kl.Dense(CLASSES)),
    "relu_below": lambda: chain(every(activation="relu", name="below"), lstm(name="top"), kl.Dense(CLASSES)),
    "gru": lambda: chain(kl.GRU(HIDDEN, name="cell"), kl.Dense(CLASSES)),
    "gru_below": lambda: chain(kl.GRU(HIDDEN, return_sequences=True, name="below"), lstm(name="top")),
    "simple_rnn": lambda: chain(kl.SimpleRNN(HIDDEN, name="cell")),
    "bidirectional_gru": lambda: chain(kl.Bidirectional(kl.GRU(HIDDEN), name="both")),
    "rnn_of_a_cell": lambda: chain(kl.RNN(kl.LSTMCell(HIDDEN), name="cell")),
    "picked_step": lambda: functional(picked_step),
    "another_step": lambda: functional(another_step),
    "cell_state": lambda: functional(cell_state),
    "encoder_and_decoder": lambda: functional(encoder_and_decoder),
    "residual": lambda: functional(residual),
    "shared": lambda: functional(shared),
    "random_dropout": lambda: functional(random_dropout),
    "mask_given": lambda: functional(mask_given),
    "backwards_above": lambda: chain(every(name="below"), lstm(go_backwards=True, name="top")),
    "repeated": lambda: chain(
        lstm(name="encoder"), kl.RepeatVector(STEPS, name="again"), every(name="decoder")
    ),
    "nested": lambda: chain(keras.Sequential([every()], name="inner"), kl.Dense(CLASSES)),
    "float16": lambda: chain(lstm(dtype="mixed_float16", name="cell")),
    "double": lambda: chain(lstm(dtype="float64", name="cell")),
    "relu_head": lambda: chain(lstm(name="cell"), kl.Dense(CLASSES, activation="relu", name="out")),
    "dense_alone": lambda: chain(kl.Dense(CLASSES, name="out")),
    "subclassed": subclassed,
}


def write(name, folder):
    """Save a model with weights that are all different, and what it gives."""
    keras.utils.set_random_seed(len(name))
    model = MODELS[name]()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    x = rng.normal(size=(BATCH, STEPS, INPUTS)).astype(np.float32)
    if name in ("embedding", "mask_zero"):
        x = rng.integers(0, 9, (BATCH, STEPS))
    outputs = keras.tree.flatten(model(x))
    for part in model.layers if name == "stateful" else ():
        if isinstance(part, kl.LSTM):
            part.reset_state()
    # What the LSTM itself takes where something lies in front of it.
    front = (
        keras.Model(model.inputs, model.layers[0].output) if name in ("embedding", "convolution") else None
    )
    arrays = {f"y{k}": np.asarray(y.detach()) for k, y in enumerate(outputs)}
    np.savez(folder / f"{name}.npz", x=x if front is None else np.asarray(front(x).detach()), **arrays)
    for ending in ("keras", "h5"):
        try:
            model.save(folder / f"{name}.{ending}")
        except NotImplementedError as cause:
            # The older format has no place for models whose forward is code.
            (folder / f"{name}.{ending}.txt").write_text(str(cause))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for each in MODELS:
        write(each, target)
    (target / "names.json").write_text(json.dumps(list(MODELS)))
