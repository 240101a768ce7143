"""How well a trained classifier does on labelled images."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from unrolled.cli.classifier_training import tell
from unrolled.cli.progress import progress

if TYPE_CHECKING:
    from unrolled.models import CNNClassifier


def evaluate_images(model: CNNClassifier, args: argparse.Namespace) -> int:
    """Classify the images of ``--data``, compare and print."""
    tell(model.evaluate(*_load(model, args.data)), "image", args.json)
    return 0


def _load(model: CNNClassifier, data: str) -> tuple[Any, Any]:
    """Load the test images of Fashion-MNIST, or images in folders."""
    from unrolled.data import fashion_mnist
    from unrolled.data.image_folders import load_image_folders

    if model.classes == fashion_mnist.CLASSES and fashion_mnist.is_folder(data):
        return fashion_mnist.load_fashion_mnist("test", data)
    images = load_image_folders(
        data,
        model.image_size,
        model.channels,
        classes=model.classes,
        dark_ground=model.dark_ground,
        progress=partial(progress, what="loading", unit="image"),
    )
    return images.images, images.labels
