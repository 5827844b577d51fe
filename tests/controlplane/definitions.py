"""CustomResourceDefinitions: found by name, established once for all tests of a session, in any number of processes."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.controlplane.api import Api, Json

REPOSITORY = Path(__file__).parents[2]
OURS = "rollway"
_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Definitions:
    """Those of one cluster. What is installed is written down in `folder`, which all who use the cluster share."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api, self._folder = api, folder

    def install(self, *names: str) -> tuple[str, ...]:
        """See ControlPlane.install_crds."""
        wanted = {each["metadata"]["name"]: each for name in names for each in documents(name)}
        with self._known() as known:
            for name, document in wanted.items():
                if known.get(name, _digest(document)) != _digest(document):
                    raise ValueError(f"another {name} is installed; a test of this one takes `bare_api_server`")
            new = [document for name, document in wanted.items() if name not in known]
            for document in new:
                self._api.apply(f"{_PATH}/{document['metadata']['name']}", document)
            for document in new:
                self._until_served(document)
                known[document["metadata"]["name"]] = _digest(document)
        return tuple(wanted)

    def remove(self, *names: str) -> None:
        """By their own names (`canaries.flagger.app`), with all objects of them; they are gone on return."""
        with self._known() as known:
            for name in names:
                self._api.delete(f"{_PATH}/{name}")
                known.pop(name, None)
            for name in names:
                self._api.until_gone(f"{_PATH}/{name}")

    def _until_served(self, document: Json) -> None:
        spec = document["spec"]
        plural = spec["names"]["plural"]
        self._api.until(f"{_PATH}/{document['metadata']['name']}", _is_established)
        for version in spec["versions"]:
            if version["served"]:
                path = f"/apis/{spec['group']}/{version['name']}"
                self._api.until(path, lambda seen: plural in {each["name"] for each in seen["resources"]})
                self._api.until(f"{path}/{plural}?limit=1", bool)

    @contextlib.contextmanager
    def _known(self) -> Iterator[dict[str, str]]:
        """Digests by name, held alone and written down at the end."""
        record = self._folder / "crds.json"
        with (self._folder / "crds.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
            try:
                yield known
            finally:
                record.write_text(json.dumps(known))


def reference() -> Path:
    """Where the other projects' definitions lie: `$ROLLWAY_REFERENCE`, or `shared/reference` beside the repository."""
    named = os.environ.get("ROLLWAY_REFERENCE")
    return Path(named) if named else REPOSITORY.parent / "shared" / "reference"


def absent() -> str | None:
    """Why nothing of the other projects can be had: there is no such folder at all. None if there is."""
    place = reference()
    if place.is_dir():
        return None
    return f"the definitions and samples of other projects are not at {place} (ROLLWAY_REFERENCE names another folder)"


def documents(name: str) -> Iterator[Json]:
    """The definitions that a name stands for. Raises ValueError if there are none."""
    place = REPOSITORY / "crds" if name == OURS else reference() / "crds" / name
    if not place.exists():
        place = Path(name)
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files or not files[0].exists():
        raise ValueError(
            f"there are no definitions called {name} in {reference()}/crds; ROLLWAY_REFERENCE can name another folder"
        )
    for file in files:
        for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                yield document


def _digest(document: Json) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _is_established(definition: Json) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)
