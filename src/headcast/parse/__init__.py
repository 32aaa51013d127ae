"""What each pixel of a tracked recording shows, and which way its surface faces; later stages read both by frame."""

from headcast.parse.channels import Parsing, read_normals, read_parsing
from headcast.parse.labels import LABEL_OF, LABELS, NETWORK_ONLY, PALETTE, colored, of_labels
from headcast.parse.parse import ParseConfig, parse, parse_steps

__all__ = [
    "LABELS",
    "LABEL_OF",
    "NETWORK_ONLY",
    "PALETTE",
    "ParseConfig",
    "Parsing",
    "colored",
    "of_labels",
    "parse",
    "parse_steps",
    "read_normals",
    "read_parsing",
]
