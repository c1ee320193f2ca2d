"""What every test may use: the shared data beside the checkout, trees of Jetson boards, a bounded hypothesis."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, cast

import pytest
from hypothesis import HealthCheck, settings
from standins import nvpmodel
from standins.names import bindings

from edge_runtime.imaging.opencv import load_cv2

DATA = Path(__file__).resolve().parent / "data"

settings.register_profile("default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session", autouse=True)
def _one_opencv_thread() -> None:
    """OpenCV's own threads would fight with the other workers'; loading it our way first keeps FFmpeg quiet for all."""
    load_cv2().setNumThreads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Arrangements that a test measured are not the user's. Wheels that were downloaded stay where they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_WHEELS", str(bindings.cache()))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared test data: `../shared` beside the checkout, or $EDGE_SHARED."""
    folder = Path(os.environ.get("EDGE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip("needs the shared test data beside the checkout")
    return folder


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Callable[[str], Dict[str, Any]]:
    """A board's record: `recorded("test-board")` is ours, the others are real boards' in the shared data."""

    def read(board: str) -> Dict[str, Any]:
        ours = DATA / f"{board}.json"
        path = ours if ours.exists() else request.getfixturevalue("shared") / "fixtures" / "jetson" / ours.name
        return cast(Dict[str, Any], json.loads(path.read_text(encoding="utf-8")))

    return read


@pytest.fixture
def board_tree(recorded: Callable[[str], Dict[str, Any]], tmp_path: Path) -> Callable[[str], Path]:
    """Lays out a board's record as a tree that can stand for `/`: `root = board_tree("test-board")`."""

    def lay(board: str) -> Path:
        root = tmp_path / board
        tree = recorded(board)
        for path, text in tree["files"].items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        for path, target in tree["links"].items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        return root

    return lay


@pytest.fixture
def live_board(board_tree: Callable[[str], Path]) -> Iterator[Callable[..., Path]]:
    """A board's tree with an nvpmodel that works, or misbehaves; nobody may ever have answered YES to it."""
    roots = []

    def lay(board: str, misbehave: str = "") -> Path:
        roots.append(board_tree(board))
        nvpmodel.install(roots[-1], misbehave)
        return roots[-1]

    yield lay
    for root in roots:
        assert not (root / "rebooted").exists(), "somebody answered YES"


@pytest.fixture
def switching_board(live_board: Callable[..., Path]) -> Path:
    """The board of tools/make_test_board.py in MODE_30W_ALL, which switches all its modes but one without a reboot."""
    return live_board("test-board")


@pytest.fixture
def under_load(recorded: Callable[[str], Dict[str, Any]]) -> Callable[[Path], None]:
    """Turns a board's idle tree, named after the board, into the loaded one."""

    def load(root: Path) -> None:
        for path, text in recorded(root.name)["overlay_load"].items():
            (root / path).write_text(text, encoding="utf-8")

    return load
