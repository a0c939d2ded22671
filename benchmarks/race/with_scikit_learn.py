"""`MLPClassifier` on float32 rows, `partial_fit` for each epoch, alpha=0, all cores; its own (Glorot's) weights."""

import track

options = track.arguments()
from sklearn.neural_network import MLPClassifier  # noqa: E402

track.tell("imported")
train, train_labels, test, test_labels = track.load(options.data)
train, test = track.floats(train), track.floats(test)
clf = MLPClassifier(
    options.units[1:-1], solver="adam", alpha=0.0, batch_size=options.batch, learning_rate_init=track.RATE,
    beta_1=track.BETA1, beta_2=track.BETA2, epsilon=track.EPSILON, random_state=options.seed,
)  # fmt: skip
for epoch in range(1, options.epochs + 1):
    clf.partial_fit(train, train_labels, classes=range(10))
    track.lap(epoch, clf.score(test, test_labels))
track.finish(options)
