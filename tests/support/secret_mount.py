"""A folder of files that are renewed as Kubernetes renews those of a Secret: all in one moment."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import trustme


class SecretMount:
    """Links to the files of a hidden folder, which is changed for another one by a single rename.

    Args:
        folder: Where; nothing is there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = count(1)
        folder.mkdir()

    def put(self, **files: bytes) -> None:
        """Replaces all files by these; `tls_crt` becomes `tls.crt`."""
        number = next(self._versions)
        version = self.folder / f"..version_{number}"
        version.mkdir()
        for word, data in files.items():
            name = word.replace("_", ".")
            (version / name).write_bytes(data)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(Path("..data", name))
        fresh = self.folder / f"..data_{number}"
        fresh.symlink_to(version.name)
        fresh.rename(self.folder / "..data")

    def put_certificate(self, leaf: trustme.LeafCert, *, key_of: trustme.LeafCert | None = None, ca: bytes) -> None:
        """Replaces the files by `ca.crt`, `tls.crt` and `tls.key`, as cert-manager writes them.

        Args:
            leaf: The certificate.
            key_of: Whose key is put beside it; its own by default.
            ca: Roots of the other side.
        """
        self.put(
            tls_crt=b"".join(pem.bytes() for pem in leaf.cert_chain_pems),
            tls_key=(key_of or leaf).private_key_pem.bytes(),
            ca_crt=ca,
        )
