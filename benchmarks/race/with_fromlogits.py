"""`Classifier` from bytes, all cores, everything else at its defaults: He's initial weights, all rows."""

import track

options = track.arguments()
from fromlogits import Classifier  # noqa: E402
from fromlogits.training import EpochRecord, Progress  # noqa: E402

track.tell("imported")


class Laps:
    def progressed(self, progress: Progress) -> None: ...

    def epoch_ended(self, record: EpochRecord) -> None:
        assert record.validation is not None
        track.lap(record.epoch, record.validation)


train, train_labels, test, test_labels = track.load(options.data)
clf = Classifier(
    hidden_layer_sizes=options.units[1:-1], activation="relu", dropout=0.0, optimizer="adam",
    learning_rate=track.RATE, batch_size=options.batch, max_epochs=options.epochs, early_stopping=False,
    calibrate=False, metric="accuracy", random_state=options.seed,
    spec={"schedule": "cosine", "beta1": track.BETA1, "beta2": track.BETA2, "epsilon": track.EPSILON},
)  # fmt: skip
pictures, test_pictures = train.reshape(-1, 28, 28), test.reshape(-1, 28, 28)
# What `fit` does, with somebody who is told of each epoch.
clf._run(clf._prepare(pictures, train_labels, test_pictures, test_labels), observer=Laps())
track.finish(options)
