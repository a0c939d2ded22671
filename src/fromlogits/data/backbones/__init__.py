"""Frozen backbones: pretrained networks that turn a picture into a vector of features, and are not trained here."""
