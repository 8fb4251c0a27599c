"""Pictures like the synthetic camera's (src/bin/fulcrum/camera.rs), of 50 classes: ten outlines, five fillings of each."""

import numpy as np

SIDE, OUTLINES, FILLINGS = 32, 10, 5
CLASSES = OUTLINES * FILLINGS


def edges(outline, u, v):
    """Distance to the outline, in radii, negative inside; the first eight are the camera's."""

    def box(width, height):
        return np.maximum(np.abs(u) - width, np.abs(v) - height)

    distance = np.hypot(u, v)
    return [
        lambda: distance - 0.9,
        lambda: box(0.75, 0.75),
        lambda: np.maximum(v - 0.7, np.abs(u) * 0.87 - (v + 0.9) * 0.5),
        lambda: np.minimum(box(0.25, 0.9), box(0.9, 0.25)),
        lambda: np.abs(distance - 0.7) - 0.22,
        lambda: box(1.0, 0.28),
        lambda: np.maximum(np.minimum(np.abs(u + v), np.abs(u - v)) * 0.71 - 0.22, box(0.8, 0.8)),
        lambda: np.abs(np.maximum(np.abs(u), np.abs(v)) - 0.72) - 0.18,
        lambda: np.maximum(distance - 0.9, v),
        lambda: (np.abs(u) + np.abs(v)) * 0.71 - 0.66,
    ][outline]()


def filling(kind, u, v):
    """Brightness within the outline: plain, striped in three directions, or chequered."""
    waves = [np.ones_like(u), np.sin(9 * u), np.sin(9 * v), np.sin(6.4 * (u + v)), np.sin(7 * u) * np.sin(7 * v)]
    return np.clip(0.7 + waves[kind] * 1.5, 0.3, 1.0)


def pictures(seed, count):
    """`count` pictures [count, 1, 32, 32] by day and their labels; the same seed makes the same ones."""
    random = np.random.Generator(np.random.PCG64(seed))
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    x, labels = np.empty((count, 1, SIDE, SIDE), np.float32), random.integers(0, CLASSES, count)
    for place, label in zip(x, labels):
        radius, angle = random.uniform(7.5, 11.0), random.uniform(-0.25, 0.25)
        centre = random.uniform(radius + 1, SIDE - radius - 2, 2)
        u, v = (columns - centre[0]) / radius, (rows - centre[1]) / radius
        u, v = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        inside = np.clip(0.5 - edges(label // FILLINGS, u, v) * radius, 0, 1)
        bright = random.uniform(0.75, 0.95) * filling(label % FILLINGS, u, v)
        grain = 0.06 * (random.uniform(-1, 1, u.shape) + random.uniform(-1, 1, u.shape))
        place[0] = 0.15 + (bright - 0.15) * inside + grain
    return x, labels
