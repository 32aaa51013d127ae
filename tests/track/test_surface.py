"""Which parts of a head the colour term looks at."""

from headcast.heads import open_head
from headcast.track.surface import Surface


def test_the_neck_takes_no_part_and_the_face_does():
    head = open_head()
    surface = Surface.of(head)
    for region, counts in (("neck", False), ("boundary", False), ("nose", True), ("forehead", True)):
        mask = head.regions[region].numpy()[surface.vertex_idx]
        weight = surface.face_weight[mask[surface.faces].all(1)]
        share = (weight > 0).mean() if len(weight) else 0.0
        assert share > 0.9 if counts else share == 0, region
