"""Keras: `fit` on float32 rows, loss from logits, steps_per_execution=32, CosineDecay; Glorot's weights."""

import os
import sys

import track

options = track.arguments()
if os.environ.get("KERAS_BACKEND") != "tensorflow":  # as where it is not installed: it would take seconds to import
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
import keras  # noqa: E402

track.tell("imported")


class Laps(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        track.lap(epoch + 1, logs["val_accuracy"])


keras.utils.set_random_seed(options.seed)
train, train_labels, test, test_labels = track.load(options.data)
layers = [keras.layers.Dense(h, activation="relu") for h in options.units[1:-1]]
model = keras.Sequential([keras.Input((options.units[0],)), *layers, keras.layers.Dense(options.units[-1])])
steps = options.epochs * -(-len(train) // options.batch)
rate = keras.optimizers.schedules.CosineDecay(track.RATE, steps)
# Only the compiled backends take several steps at a time.
several = {} if keras.backend.backend() == "torch" else {"steps_per_execution": 32}
model.compile(
    optimizer=keras.optimizers.Adam(rate, track.BETA1, track.BETA2, track.EPSILON),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
    **several,
)
model.fit(
    track.floats(train), train_labels, batch_size=options.batch, epochs=options.epochs, verbose=0,
    validation_data=(track.floats(test), test_labels), validation_batch_size=1000, callbacks=[Laps()],
)  # fmt: skip
track.finish(options)
