"""`MLPClassifier`, float32 rows, `partial_fit` for each epoch, at the rate of the epoch's middle; Glorot's weights."""

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
    clf.learning_rate_init = track.rate((epoch - 0.5) / options.epochs)
    if epoch > 1:
        clf._optimizer.learning_rate_init = clf.learning_rate_init  # it has no schedule for Adam
    clf.partial_fit(train, train_labels, classes=range(10))
    track.lap(epoch, clf.score(test, test_labels))
track.finish(options)
