"""The names of ARKit's 52 expressions; the open head, which has them all, says what they look like."""

from headcast.heads import HeadModel

_EYE = ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
_BOTH_MOUTH = ("Smile", "Frown", "Dimple", "Stretch")
_PAIRED = ("Press", "LowerDown", "UpperUp")
ARKIT_NAMES: tuple[str, ...] = (
    *(f"eye{what}{side}" for side in ("Left", "Right") for what in _EYE),
    *("jawForward", "jawRight", "jawLeft", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft"),
    *(f"mouth{what}{side}" for what in _BOTH_MOUTH for side in ("Left", "Right")),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *(f"mouth{what}{side}" for what in _PAIRED for side in ("Left", "Right")),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""In the order of that app's columns."""


def has_arkit_expressions(model: HeadModel) -> bool:
    """Whether the model's expressions include all 52."""
    return set(ARKIT_NAMES) <= set(model.expression_names)
