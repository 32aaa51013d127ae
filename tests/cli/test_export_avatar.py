"""`headcast export` of an avatar as it is typed."""

import pytest
import torch

from headcast.avatars import AtRest, BaselineAvatar, save_avatar
from headcast.avatars.gaussian.avatar import GaussianAvatar
from headcast.avatars.gaussian.bound import BoundSplats, Motions
from headcast.cli.main import main
from headcast.export.splats import read_plain_splats, read_splat_glb, read_splat_ply, read_spz
from headcast.store import AvatarPaths

READERS = {
    "splat": (".splat", read_plain_splats),
    "splat-glb": (".glb", read_splat_glb),
    "splat-ply": (".ply", read_splat_ply),
    "spz": (".spz", read_spz),
}


@pytest.fixture(scope="module")
def run_avatar(portrait_run, tmp_path_factory):
    """A splat in the middle of each of three hundred triangles."""
    model, track = portrait_run.model, portrait_run.track
    motions = Motions.of(track.pose(), 2)
    face, colors = torch.arange(0, 3000, 10), torch.rand(300, 3, generator=torch.Generator().manual_seed(0))
    splats = BoundSplats.new(face, torch.zeros(300, 3), torch.full((300, 3), 0.3), 0.8, colors, motions.directions.shape[1])
    avatar = GaussianAvatar(model, track.identity, torch.zeros_like(model.template), splats, motions)
    paths = AvatarPaths(tmp_path_factory.mktemp("avatar"))
    save_avatar(avatar, paths, {}, {})
    AtRest.of(track, model).save(paths.rest)
    return avatar, paths


@pytest.mark.parametrize("name", sorted(READERS))
def test_an_avatar_at_rest_is_one_file(run_avatar, tmp_path, name):
    avatar, paths = run_avatar
    suffix, read = READERS[name]
    assert main(["export", str(paths.root), "--to", name, "--out", str(tmp_path / f"a{suffix}")]) == 0
    found = read(tmp_path / f"a{suffix}")
    wanted = avatar.gaussians(AtRest.load(paths.rest, avatar.model).pose)
    assert float(torch.cdist(found.means.double(), wanted.means.double()).min(1).values.max()) < 2e-5 and len(found.means) == 300


def test_a_run_gives_the_poses_of_a_folder_of_files(run_avatar, portrait_run, tmp_path):
    avatar, paths = run_avatar
    command = ["export", str(paths.root), "--to", "spz", "--poses", str(portrait_run.paths.root), "--out", str(tmp_path / "frames")]
    assert main(command) == 0
    files = sorted((tmp_path / "frames").iterdir())
    assert [file.name for file in files] == [f"frame_{k:06d}.spz" for k in range(portrait_run.track.frame_count)]
    wanted = avatar.gaussians(portrait_run.track.pose(3)).means
    torch.testing.assert_close(read_spz(files[3]).means, wanted, atol=2e-5, rtol=0)
    assert main(command) == 2 and main([*command, "--overwrite"]) == 0


def test_without_a_place_it_goes_into_the_avatars_exports(run_avatar, capsys):
    _, paths = run_avatar
    assert main(["export", str(paths.root), "--to", "splat-ply"]) == 0
    assert (paths.exports / "head.ply").is_file() and "head.ply" in capsys.readouterr().out


def test_formats_of_runs_and_avatars_are_told_apart(run_avatar, portrait_run, tmp_path, capsys):
    _, paths = run_avatar
    assert main(["export", str(paths.root), "--to", "bvh"]) == 2
    assert "splat-ply" in capsys.readouterr().err
    assert main(["export", str(portrait_run.paths.root), "--to", "spz"]) == 2
    assert "avatars" in capsys.readouterr().err
    assert main(["export", str(portrait_run.paths.root), "--to", "arrays", "--poses", str(portrait_run.paths.root)]) == 2
    assert "--poses" in capsys.readouterr().err
    mesh = AvatarPaths(tmp_path / "mesh")
    save_avatar(BaselineAvatar.of(portrait_run), mesh, {}, {})
    AtRest.of(portrait_run.track, portrait_run.model).save(mesh.rest)
    assert main(["export", str(mesh.root), "--to", "spz"]) == 2
    assert "--kind gaussian" in capsys.readouterr().err
