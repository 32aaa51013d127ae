"""A moment's views, each with the person and the head's state as its camera sees them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headcast.track.observation import Moment, Observation
from headcast.track.person import Person
from headcast.track.points import FrameState
from headcast.track.rig import Turned


@dataclass(frozen=True)
class Sight:
    """One camera's view of a head in a known state."""

    person: Person
    """Looked at through the camera."""
    observation: Observation
    state: FrameState
    """In the camera's space."""

    @property
    def turned(self) -> Turned:
        """How the view's unknowns follow from those of the clip."""
        person = self.person
        return Turned(person.camera, person.rig.rotation[person.camera, person.camera_pose], self.state.translation, person.rig)


def sights(person: Person, moment: Moment, state: FrameState) -> Iterator[Sight]:
    """The views of a moment; `state` is in rig space."""
    own = person.in_frame(moment.frame_idx)
    for view in moment.views:
        yield Sight(own.through(view.camera, moment.frame_idx), view, person.rig.seen(state, view.camera, moment.frame_idx))


def all_sights(person: Person, moments: Iterable[Moment], states: Iterable[FrameState]) -> list[Sight]:
    """The views of several moments, one after another."""
    return [sight for moment, state in zip(moments, states, strict=True) for sight in sights(person, moment, state)]
