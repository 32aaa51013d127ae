"""Makes docs/images/static-head.jpg: a fitted scan from two sides, as it was, the head in its colours, its shape, the distance.

headcast fit LeePerrySmith_plain.glb --texture color.jpg --unit-m 0.058 --out FIT
python tools/static_head_picture.py FIT
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from headcast.store import FitPaths

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "static-head.jpg"
SIDES, KINDS = 3, 4
PANEL_PX = 270


def main() -> None:
    compared = np.asarray(Image.open(FitPaths(Path(sys.argv[1])).heat_map).convert("RGB"))
    size = compared.shape[1] // SIDES
    rows = [compared[kind * size : (kind + 1) * size] for kind in range(KINDS)]
    turned = np.concatenate([np.concatenate([row[:, :size], row[:, size : 2 * size]]) for row in rows], axis=1)
    Image.fromarray(turned).resize((KINDS * PANEL_PX, 2 * PANEL_PX), Image.Resampling.LANCZOS).save(PICTURE, quality=85)


if __name__ == "__main__":
    main()
