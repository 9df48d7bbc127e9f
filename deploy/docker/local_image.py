"""Builds an image without a daemon and without a registry, and runs it as Kubernetes would lock it up.

    python deploy/docker/local_image.py SERVICE

builds on a base of Debian's own packages, and runs the service with the CUTLINE_ variables of the shell: as user 65532,
who can gain no rights, on a root that cannot be written, with an empty /tmp. It needs Linux, root, buildah and
debootstrap; everything it makes is in build/images. The base takes a minute the first time.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = CHECKOUT / "build" / "images"
SUITE: Final = "bookworm"
BASE: Final = "localhost/cutline-local-base"
USER: Final = 65532

_TOOLS: Final = ("buildah", "debootstrap", "unshare", "chroot")
_PACKAGES: Final = ("python3", "python3-venv", "ca-certificates")
_ROOTS: Final = "etc/ssl/certs/ca-certificates.crt"

# In a mount namespace of its own: the root read-only, /tmp empty, the devices and processes that programs expect.
_LOCK_UP: Final = f"""
set -eu
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o size=64m,mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec={USER}:{USER} --groups={USER} "$root" /usr/bin/setpriv --no-new-privs --inh-caps=-all -- "$@"
"""


class LocalImageError(Exception):
    """Something could not be built; the message holds the end of what the tool said."""


def problem() -> str | None:
    """Why no image can be built here; None where it can be tried."""
    if not sys.platform.startswith("linux"):
        return "containers of Linux are built on Linux"
    if os.geteuid() != 0:
        return "building and locking up without a daemon needs root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    tried = subprocess.run(("unshare", "--mount", "true"), capture_output=True, check=False)  # noqa: S607
    return None if tried.returncode == 0 else "this system gives no mount namespace of its own"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in the local store.

    Attributes:
        root: Its files.
        config: Its configuration, as the OCI image specification names it (`User`, `Env`, `Entrypoint`, `Labels`).
    """

    root: Path
    config: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        return dict(line.split("=", 1) for line in self.config["Env"])

    @property
    def command(self) -> tuple[str, ...]:
        """What it runs unless told otherwise."""
        return (*self.config["Entrypoint"], *self.config["Cmd"])

    def locked_up(self, *command: str, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """A command that runs `command` in the image; it becomes that program, so that signals reach it."""
        words = {**self.environment, **(environment or {})}
        within = ("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in words.items()), *command)
        return (
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            _LOCK_UP,
            "lock-up",
            str(self.root),
            *within,
        )


class LocalImages:
    """A store of images that belongs to this folder alone.

    Args:
        folder: Where everything is kept; what is there is used again.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        storage = folder / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder / "store"}"\nrunroot = "{folder / "run"}"\n',
            encoding="utf-8",
        )
        self._environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(storage), "BUILDER": "buildah"}

    def build(self, service: str) -> None:
        """Builds the image of a service with the project's own script; steps that are as before are not done again.

        Raises:
            LocalImageError: It could not be built.
        """
        self._make_base()
        pip = self._folder / "pip.conf"
        pip.write_text(f"[global]\ncert = /{_ROOTS}\n", encoding="utf-8")
        self._run(
            (str(CHECKOUT / "deploy" / "docker" / "build.sh"), service),
            BASE_IMAGE=BASE,
            PIP_CONFIG=os.environ.get("PIP_CONFIG", str(pip)),
            BUILD_FLAGS="--isolation chroot --pull-never --layers --quiet",
        )

    @contextmanager
    def opened(self, service: str) -> Iterator[BuiltImage]:
        """The image of a service that was built, its files there to be run until the block ends.

        Raises:
            LocalImageError: There is no such image.
        """
        container = self._run(("buildah", "from", "--pull-never", f"localhost/cutline-{service}"))
        try:
            root = self._run(("buildah", "mount", container))
            inspected = json.loads(self._run(("buildah", "inspect", container)))
            yield BuiltImage(Path(root), inspected["OCIv1"]["config"])
        finally:
            self._run(("buildah", "rm", container))

    def _make_base(self) -> None:
        if (
            subprocess.run(
                ("buildah", "inspect", "--type", "image", BASE),  # noqa: S607
                env=self._environment,
                capture_output=True,
                check=False,
            ).returncode
            == 0
        ):
            return
        root = self._folder / "base"
        shutil.rmtree(root, ignore_errors=True)
        self._run(("debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", SUITE, str(root)))
        # The image trusts whom this machine trusts: packages may come through a proxy with an authority of its own.
        roots = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
        if roots:
            shutil.copyfile(roots, root / _ROOTS)
        container = self._run(("buildah", "from", "scratch"))
        self._run(("buildah", "add", "--quiet", container, str(root), "/"))
        self._run(("buildah", "commit", "--quiet", container, BASE))
        self._run(("buildah", "rm", container))
        shutil.rmtree(root)

    def _run(self, command: Sequence[str], **environment: str) -> str:
        done = subprocess.run(
            command,
            env={**self._environment, **environment},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}"
            raise LocalImageError(message)
        return done.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Builds a service and runs it until it ends; its exit code, or 1 where it cannot be built."""
    if len(arguments) != 1:
        print(f"usage: {Path(sys.argv[0]).name} SERVICE", file=sys.stderr)
        return 2
    if (why_not := problem()) is not None:
        print(why_not, file=sys.stderr)
        return 1
    try:
        images = LocalImages()
        images.build(arguments[0])
        with images.opened(arguments[0]) as image:
            settings = {name: value for name, value in os.environ.items() if name.startswith("CUTLINE_")}
            command = image.locked_up(*image.command, environment=settings)
            return subprocess.run(command, check=False).returncode
    except LocalImageError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
