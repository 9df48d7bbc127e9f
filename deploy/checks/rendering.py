"""Which manifests can be deployed together, what kubectl makes of them, and the output that is committed."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.checks.manifests import Document, Manifests, parse
from deploy.k8s import generate

ROOT: Final = Path(__file__).resolve().parents[2]
KUBERNETES: Final = ROOT / "deploy/k8s"
COMPONENTS: Final = KUBERNETES / "components"
RENDERED: Final = KUBERNETES / "rendered"
EXCLUSIVE: Final = frozenset({"grpc-tls", "mesh"})
"""Either encrypts gRPC between pods; both would encrypt it twice, and a mesh could not see the calls."""
_TIMEOUT_S: Final = 300


class RenderingError(Exception):
    """kubectl cannot build a kustomization; the message says which and why."""


class NoKubectlError(Exception):
    """There is no kubectl here, so nothing can be rendered."""

    def __init__(self) -> None:
        super().__init__("there is no kubectl; the committed output is checked")


@dataclass(frozen=True, slots=True)
class Composition:
    """What is deployed in one go.

    Attributes:
        folder: A kustomization below deploy/k8s, such as `overlays/production`.
        components: Exactly these folders of deploy/k8s/components; None for those that it names itself.
    """

    folder: str
    components: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """Name in messages, such as `overlays/dev with keda, mesh`."""
        if self.components is None:
            return self.folder
        return f"{self.folder} with {', '.join(sorted(self.components)) or 'no component'}"

    @property
    def committed(self) -> Path:
        """Where the output of the folder as it stands is committed."""
        return RENDERED / f"{self.folder.removeprefix('overlays/').replace('/', '-')}.yaml"


def kubectl() -> str | None:
    """The program, where it is there."""
    return shutil.which("kubectl")


def overlays() -> tuple[Composition, ...]:
    """The overlays as they stand."""
    return tuple(
        Composition(str(found.parent.relative_to(KUBERNETES)))
        for found in sorted(KUBERNETES.glob("overlays/*/kustomization.yaml"))
    )


def deployed() -> tuple[Composition, ...]:
    """What an operator applies as it stands: the overlays, and what stands in their folders beside components."""
    return tuple(
        Composition(str(found.parent.relative_to(KUBERNETES)))
        for found in sorted(KUBERNETES.glob("overlays/**/kustomization.yaml"))
        if _kustomization(found.parent).get("kind") != "Component"
    )


def combinations(*, every: bool) -> list[Composition]:
    """Overlays with other components than their own.

    Args:
        every: Every subset of the components; else so many that each two of them are seen together, apart and absent.
    """
    names = sorted(found.parent.name for found in KUBERNETES.glob("components/*/kustomization.yaml"))
    chosen = _subsets(names) if every else _pairwise(names)
    return [
        Composition(overlay.folder, components) for overlay in overlays() for components in sorted(chosen, key=sorted)
    ]


def render(composition: Composition) -> str:
    """The text that `kubectl kustomize` prints for it.

    Raises:
        RenderingError: It cannot be built.
        NoKubectlError: There is nothing to build it with.
    """
    folder = KUBERNETES / composition.folder
    if composition.components is None:
        return _kustomize(folder, composition.name)
    with tempfile.TemporaryDirectory(prefix="cutline-composition-") as temporary:
        place = Path(temporary).resolve()
        for file in folder.iterdir():
            if file.is_file():
                shutil.copy(file, place)
        parts = _with_components(_kustomization(folder), folder, place, composition.components)
        (place / "kustomization.yaml").write_text(yaml.safe_dump(parts), encoding="utf-8")
        return _kustomize(place, composition.name)


def render_all(wanted: Iterable[Composition]) -> dict[Composition, Manifests]:
    """Renders many, two at a time; what is the same in several of them is kept once.

    Raises:
        RenderingError: One cannot be built.
    """
    known: dict[str, Document] = {}
    rendered: dict[Composition, Manifests] = {}
    with ThreadPoolExecutor(max_workers=2) as threads:
        for composition, text in threads.map(lambda one: (one, render(one)), tuple(wanted)):
            documents = parse(composition.name, text).documents
            shared = (known.setdefault(json.dumps(document, sort_keys=True), document) for document in documents)
            rendered[composition] = Manifests(composition.name, tuple(shared))
    return rendered


def committed() -> dict[Composition, Manifests]:
    """The committed output of everything that is deployed as it stands."""
    return {
        composition: parse(composition.name, composition.committed.read_text(encoding="utf-8"))
        for composition in deployed()
        if composition.committed.exists()
    }


def whole(overlay: Composition, found: Mapping[Composition, Manifests]) -> Manifests:
    """An overlay together with what is applied beside it, such as its jobs: what policies speak of."""
    parts = [
        manifests
        for composition, manifests in found.items()
        if composition == overlay
        or (composition.components is None and composition.folder.startswith(f"{overlay.folder}/"))
    ]
    documents = {json.dumps(document, sort_keys=True): document for part in parts for document in part.documents}
    return Manifests(overlay.name, tuple(documents.values()))


def write_rendered() -> list[Path]:
    """Renders everything that is committed anew, removes what nothing makes any more, and tells what there is."""
    texts = {composition.committed: render(composition) for composition in deployed()}
    RENDERED.mkdir(exist_ok=True)
    for stale in set(RENDERED.glob("*.yaml")) - texts.keys():
        stale.unlink()
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return sorted(texts)


def drift() -> list[str]:
    """How the committed output differs from what is rendered now, one sentence each.

    Raises:
        NoKubectlError: There is nothing to render it with.
    """
    wanted = {composition.committed: composition for composition in deployed()}
    stale = sorted(set(RENDERED.glob("*.yaml")) - wanted.keys())
    return [
        *(f"{path.relative_to(ROOT)}: nothing renders to it any more" for path in stale),
        *(
            f"{path.relative_to(ROOT)}: is not what {composition.name} renders to; run make k8s-render"
            for path, composition in wanted.items()
            if not path.exists() or path.read_text(encoding="utf-8") != render(composition)
        ),
    ]


def stale_sources() -> list[str]:
    """Which sources that are themselves generated differ from what they are made of, one sentence each."""
    return [f"{path.relative_to(ROOT)}: is not what it is made of; run make k8s-render" for path in generate.stale()]


def _pairwise(names: Sequence[str]) -> set[frozenset[str]]:
    """Sets in which each two names are seen together, apart and absent.

    Every name is in another selection of rows, all of them of one size, which is more than half of the rows: of each
    two, some row has both and some has only one; the empty set has none. Names that exclude each other take turns.
    """
    turns = [[*sorted(name for name in names if name not in EXCLUSIVE), one] for one in EXCLUSIVE if one in names]
    found = {frozenset[str]()}
    for turn in turns or [list(names)]:
        rows = next(count for count in itertools.count(1) if math.comb(count, count // 2 + 1) >= len(turn))
        selections = itertools.combinations(range(rows), rows // 2 + 1)
        places = dict(zip(turn, selections, strict=False))
        found |= {frozenset(name for name in turn if row in places[name]) for row in range(rows)}
    return found


def _subsets(names: Sequence[str]) -> set[frozenset[str]]:
    return {
        frozenset(chosen)
        for count in range(len(names) + 1)
        for chosen in itertools.combinations(names, count)
        if len(EXCLUSIVE & set(chosen)) < len(EXCLUSIVE)
    }


def _with_components(parts: Mapping[str, Any], folder: Path, place: Path, components: frozenset[str]) -> dict[str, Any]:
    """An overlay's kustomization as it reads from another folder, and with other components.

    What it includes besides components, such as its addresses, stays, and stays behind them.
    """
    own = [Path(os.path.normpath(folder / name)) for name in parts.get("components", ())]
    others = [path for path in own if path.parent != COMPONENTS]
    wanted = [path for path in own if path.parent == COMPONENTS and path.name in components]
    wanted += [COMPONENTS / name for name in sorted(components) if COMPONENTS / name not in wanted]
    return {
        **parts,
        # kustomize takes folders by relative path only; files have been copied.
        "resources": [
            os.path.relpath(folder / name, place) if (folder / name).is_dir() else name
            for name in parts.get("resources", ())
        ],
        "components": [os.path.relpath(path, place) for path in (*wanted, *others)],
    }


def _kustomization(folder: Path) -> Mapping[str, Any]:
    read = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    return read if isinstance(read, dict) else {}


def _kustomize(folder: Path, name: str) -> str:
    program = kubectl()
    if program is None:
        raise NoKubectlError
    made = subprocess.run(
        (program, "kustomize", folder), capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
    )
    if made.returncode != 0:
        message = f"{name}: {made.stderr.strip()}"
        raise RenderingError(message)
    return made.stdout
