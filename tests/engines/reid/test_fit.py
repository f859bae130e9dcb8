"""Training: the same bits again, whatever happened in between; and what stops it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from painted_people import painted_people
from training_twin import TWIN, training

from configs.build import InputError
from engines.reid import checkpoint, losses
from engines.reid.fit import BEGUN, LATEST, TRAINED
from engines.reid.task import Picture, Task

PROGRAM = Path(__file__).parents[2] / "training_twin.py"
NEVER_S = 1e9


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weights of a training from beginning to end, and all its steps."""
    steps = []
    made, phases = training(
        tmp_path_factory.mktemp("undisturbed"),
        shown=lambda place, *_: steps.append(key(place)),
        save_s=NEVER_S,
    )
    return checkpoint.load(made.fit(phases))[0], steps


def key(place):
    return f"{place.phase} {place.epoch} {place.step}"


def assert_same(path, wanted):
    found = checkpoint.load(path)[0]
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []


class Stop(Exception):
    pass


def trained_until(folder, step, **settings):
    """A training that ends abruptly after a step."""

    def shown(place, *_):
        if key(place) == step:
            raise Stop

    made, phases = training(folder, shown=shown, **settings)
    with pytest.raises(Stop):
        made.fit(phases)


def test_trains_both_stages_and_tells_the_losses(undisturbed, tmp_path):
    state, steps = undisturbed
    assert steps[:4] == ["prompts 1 1", "prompts 1 2", "prompts 1 3", "prompts 2 1"]
    assert steps[-1].startswith("images 2 ")
    made, phases = training(tmp_path, save_s=NEVER_S)
    path = made.fit(phases)
    assert_same(path, state)
    told = checkpoint.load(path)[1]["losses"]
    assert [(row["phase"], row["epoch"]) for row in told] == [
        ("prompts", 1), ("prompts", 2), ("images", 1), ("images", 2)
    ]  # fmt: skip
    assert set(told[-1]) == {"phase", "epoch", "identity", "triplet", "image to text"}


def test_each_stage_trains_what_it_should_and_nothing_else(undisturbed, tmp_path):
    state, _ = undisturbed
    made, _ = training(tmp_path)
    first = made.network.state_dict()
    same = {name for name in first if torch.equal(first[name], state[name])}
    frozen = {name for name in first if name.startswith(("clip.text.", "clip.logit_scale"))}
    still = {
        "prompts.prefix",
        "prompts.suffix",
        "prompts.held",
        "prompts.ends",
        "neck.norm.bias",
        "projected_neck.norm.bias",
    }
    assert same == frozen | still
    trained_until(tmp_path, "images 1 1")
    begun = checkpoint.load(tmp_path / BEGUN)[0]
    assert {name for name in begun if not torch.equal(begun[name], first[name])} == {"prompts.words"}


def test_another_seed_gives_other_weights(undisturbed, tmp_path):
    made, phases = training(tmp_path, seed=2, save_s=NEVER_S)
    other = checkpoint.load(made.fit(phases))[0]
    assert not torch.equal(other["clip.visual.proj"], undisturbed[0]["clip.visual.proj"])


def test_left_at_any_step_it_ends_with_the_same_bits(undisturbed, tmp_path):
    """Left after each of them, one after the other: with a checkpoint of that step or without one."""
    state, steps = undisturbed
    for number, step in enumerate(steps):
        trained_until(tmp_path, step, save_s=0.0 if number % 3 else NEVER_S)
    made, phases = training(tmp_path)
    assert_same(made.fit(phases), state)


def test_killed_again_and_again_it_ends_with_the_same_bits(undisturbed, tmp_path):
    state, steps = undisturbed
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, PROGRAM, tmp_path]
    for step in ("prompts 2 1", steps[-2]):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
            assert any(line.strip() == step for line in program.stdout)
            program.kill()
        assert program.returncode == -9
        assert not (tmp_path / TRAINED).exists()
    subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    assert_same(tmp_path / TRAINED, state)


def test_a_training_that_has_ended_gives_its_weights_again(undisturbed, tmp_path):
    for _ in range(2):
        made, phases = training(tmp_path, save_s=NEVER_S)
        path = made.fit(phases)
    assert_same(path, undisturbed[0])


def test_mixed_precision_trains_to_nearly_the_same_losses(undisturbed, tmp_path):
    made, phases = training(tmp_path, is_mixed=True, save_s=NEVER_S)
    state, told = checkpoint.load(made.fit(phases))
    assert {tensor.dtype for tensor in state.values() if tensor.is_floating_point()} == {torch.float32}
    assert not torch.equal(state["clip.visual.proj"], undisturbed[0]["clip.visual.proj"])
    made, phases = training(tmp_path / "single", save_s=NEVER_S)
    single = checkpoint.load(made.fit(phases))[1]["losses"]
    assert told["losses"][0]["image to text"] == pytest.approx(single[0]["image to text"], rel=0.05)


def test_a_loss_that_is_no_number_stops_it_and_is_named(tmp_path, monkeypatch):
    calls = iter(range(100))
    true = losses.triplet
    monkeypatch.setattr(losses, "triplet", lambda *a: true(*a) * (float("nan") if next(calls) == 3 else 1))
    made, phases = training(tmp_path)
    with pytest.raises(
        InputError, match=r"images: epoch 1: step 2: the loss 'triplet' is nan; lower the learning rate"
    ):
        made.fit(phases)
    state, told = checkpoint.load(tmp_path / LATEST)
    assert (told["place"]["phase"], told["place"]["step"]) == ("images", 1)
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("method", "pad", "latest.safetensors: was trained with method 'clip_reid', not 'pad'"),
        ("seed", 9, "was trained with seed 1, not 9"),
        ("settings", {"epochs": 3}, "was trained with settings {'epochs': 2}, not {'epochs': 3}"),
    ],
)
def test_a_training_of_another_kind_is_not_gone_on_with(name, value, said, tmp_path):
    trained_until(tmp_path, "prompts 1 2")
    (tmp_path / BEGUN).unlink() if name == "method" else None
    made, phases = training(tmp_path)
    made.told = {**made.told, name: value}
    with pytest.raises(InputError, match=said + "; name another folder, or ask for the same"):
        made.fit(phases)


def test_a_checkpoint_of_another_version_or_of_somebody_else_is_refused(tmp_path, monkeypatch):
    trained_until(tmp_path, "prompts 1 1")
    made, phases = training(tmp_path)
    monkeypatch.setattr(checkpoint, "VERSION", 2)
    with pytest.raises(
        InputError, match="begun.safetensors: is of version 1, this reads version 2; train again"
    ):
        made.fit(phases)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, tmp_path / "theirs.safetensors")
    with pytest.raises(InputError, match="not written by this program"):
        checkpoint.load(tmp_path / "theirs.safetensors")


def test_a_damaged_checkpoint_is_named(tmp_path):
    trained_until(tmp_path, "prompts 1 1")
    path = tmp_path / BEGUN
    path.write_bytes(path.read_bytes()[:-10])
    made, phases = training(tmp_path)
    with pytest.raises(InputError, match="begun.safetensors: is damaged or no checkpoint, .*; take it away"):
        made.fit(phases)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    trained_until(tmp_path, "prompts 1 1")
    made, phases = training(tmp_path, replace(TWIN, sie=False))
    with pytest.raises(InputError, match="begun.safetensors: is of another network, .*side"):
        made.fit(phases)


def test_a_full_disk_leaves_the_last_checkpoint_as_it_was(undisturbed, small_disk):
    disk = small_disk("size=150m")
    trained_until(disk, "prompts 1 2")
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize - 2**20))
    made, phases = training(disk)
    with pytest.raises(
        InputError, match=r"latest.safetensors: cannot be written, .*; make room, and run it again"
    ):
        made.fit(phases)
    assert sorted(path.name for path in disk.iterdir()) == ["ballast", BEGUN, LATEST]
    ballast.unlink()
    made, phases = training(disk)
    assert_same(made.fit(phases), undisturbed[0])


def test_two_cannot_train_in_one_folder(tmp_path):
    def shown(*_):
        made, phases = training(tmp_path)
        with pytest.raises(
            InputError, match="another process trains there; wait for it, or name another folder"
        ):
            made.fit(phases)
        raise Stop

    made, phases = training(tmp_path, shown=shown)
    with pytest.raises(Stop):
        made.fit(phases)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    made, phases = training(tmp_path / "file" / "folder")
    with pytest.raises(InputError, match="folder: cannot be made, Not a directory; name another folder"):
        made.fit(phases)


def test_a_batch_that_cannot_be_drawn_is_said_before_the_stage(tmp_path):
    made, phases = training(tmp_path, replace(TWIN, people_a_batch=7))
    with pytest.raises(InputError, match="a batch of 7 people cannot be drawn, there are 6"):
        phases["images"]()
    assert made.folder == tmp_path


def test_samples_of_one_person_teach_nothing():
    with pytest.raises(InputError, match="all 4 samples are of one person; two at least"):
        Task(painted_people(people=1))


def test_people_are_numbered_without_gaps_in_the_order_of_their_numbers():
    picture = painted_people(people=1, each=1)[0].image
    task = Task([Picture(picture, person, camera) for person, camera in ((30, 2), (-4, 0), (30, 1), (7, 5))])
    assert task.people.tolist() == [2, 0, 2, 1]
    assert (task.people_count, task.cameras.tolist(), task.camera_count) == (3, [2, 0, 1, 5], 6)


def pictured(kind):
    """A picture as a file holds it; of noise, so that half of it is half of the file."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3)).astype(np.uint8)
    return cv2.imencode(kind, noise)[1].tobytes()


@pytest.mark.parametrize(
    "written",
    [b"no picture", b"", pictured(".jpg")[:1500], pictured(".png")[:3000]],
    ids=["text", "empty", "half a JPEG", "half a PNG"],
)
def test_a_picture_that_cannot_be_read_is_named(written, tmp_path):
    (tmp_path / "a.jpg").write_bytes(written)
    task = Task([Picture(tmp_path / "a.jpg", 0), Picture(tmp_path / "b.jpg", 1)])
    with pytest.raises(InputError, match="a.jpg: is no picture, or not all of one; fetch the data set again"):
        task.encoded(lambda pictures: pictures, lambda picture, _: TWIN.look(picture))


def test_pictures_come_in_order_however_many_read_them():
    task = Task(painted_people(), workers=3)
    assert list(task.ahead(lambda number: number * 2, range(20))) == list(range(0, 40, 2))
