"""The rembg adapter runs a local ONNX file: no environment, no home folder, no download."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cutline.domain.errors import ArtworkError, Reason
from cutline.domain.outputs import CutoutMethod
from cutline.imaging.cutout import ModelUnavailableError, cut_out
from cutline.imaging.cutout.model import RembgRemover
from tests.unit.imaging.pixel_art import composed, coverage, flat_colour, overlap

onnx = pytest.importorskip("onnx", reason="the test builds its own network with onnx")
pytest.importorskip("onnxruntime", reason="rembg runs networks with onnxruntime")

DISC = coverage("disc")
RED_DISC = composed(DISC, (255, 0, 0), flat_colour((0, 0, 255)))


@pytest.fixture(name="red_network", scope="module")
def _red_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose prediction is the red channel: one 1 x 1 convolution."""
    helper, types = onnx.helper, onnx.TensorProto
    weights = helper.make_tensor("weights", types.FLOAT, [1, 3, 1, 1], [1.0, 0.0, 0.0])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights"], ["mask"])],
        "red",
        [helper.make_tensor_value_info("image", types.FLOAT, [1, 3, None, None])],
        [helper.make_tensor_value_info("mask", types.FLOAT, [1, 1, None, None])],
        [weights],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path_factory.mktemp("models") / "red.onnx"
    onnx.save(network, str(path))
    return path


@pytest.mark.timeout(600)  # it is the first to import rembg, which compiles much of itself
def test_the_local_file_is_run(red_network: Path) -> None:
    """A network that answers "red" cuts out the red disc, through rembg's own session."""
    cutout = cut_out(
        RED_DISC,
        method=CutoutMethod.MODEL,
        alpha_threshold=0.5,
        remove_enclosed_background=False,
        model=RembgRemover(red_network),
    )

    assert cutout.method is CutoutMethod.MODEL
    assert overlap(cutout.rgba[..., 3], DISC) > 0.98


def test_a_constant_prediction_is_no_subject(red_network: Path) -> None:
    """Rembg divides 0 by 0 on a picture without contrast; the cutout says NO_SUBJECT."""
    blue = composed(np.zeros_like(DISC), (255, 0, 0), flat_colour((0, 0, 255)))

    with pytest.raises(ArtworkError) as caught:
        cut_out(
            blue,
            method=CutoutMethod.MODEL,
            alpha_threshold=0.5,
            remove_enclosed_background=False,
            model=RembgRemover(red_network),
        )

    assert caught.value.reason is Reason.NO_SUBJECT


def test_the_environment_is_left_alone(red_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file may lie anywhere: rembg's home folder is neither needed nor made."""
    home = tmp_path / "home"
    for name in ("U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home))
    before = dict(os.environ)

    mask = RembgRemover(red_network).subject_mask(RED_DISC.rgba)

    assert mask.shape == DISC.shape
    assert dict(os.environ) == before
    assert not home.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Without its file the remover is unavailable, at once and without looking elsewhere."""
    with pytest.raises(ModelUnavailableError, match=r"absent\.onnx is not there"):
        RembgRemover(tmp_path / "absent.onnx").subject_mask(RED_DISC.rgba)


def test_a_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    """A file of other bytes makes the remover unavailable instead of ending the run."""
    path = tmp_path / "text.onnx"
    path.write_text("not a network")

    with pytest.raises(ModelUnavailableError, match="no usable ONNX network"):
        RembgRemover(path).subject_mask(RED_DISC.rgba)


def test_missing_rembg_is_named(red_network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rembg installed the error says what to install."""
    monkeypatch.setitem(sys.modules, "rembg.sessions.u2net_custom", None)

    with pytest.raises(ModelUnavailableError, match=r"cutline\[model\]"):
        RembgRemover(red_network).subject_mask(RED_DISC.rgba)


def test_importing_the_cutout_does_not_import_rembg() -> None:
    """The heavy library waits for the first artwork that needs it."""
    code = "import sys, cutline.imaging.cutout.model; sys.exit(any(m.split('.')[0] == 'rembg' for m in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_first_import_is_paid_before_the_first_job(red_network: Path) -> None:
    """A worker's warm-up opens the session and runs it once; a file that is missing ends the warm-up by name."""
    code = (
        "import sys\n"
        "from services.imaging import work\n"
        "from cutline.domain.errors import UnavailableError\n"
        "work.warm_up(1, sys.argv[1])\n"
        "assert 'rembg.sessions.u2net_custom' in sys.modules\n"
        "try:\n"
        "    work.warm_up(1, sys.argv[1] + '.absent')\n"
        "except UnavailableError as error:\n"
        "    assert 'is not there' in str(error), error\n"
        "else:\n"
        "    sys.exit('no error')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(red_network)], check=False, timeout=110, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
