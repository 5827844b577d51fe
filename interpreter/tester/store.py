"""Small records that outlive the tester: gates, and which tasks were running. A record is a text under a key.

They are kept in a ConfigMap of the tester's own namespace, in a folder, or in memory. A ConfigMap is written by a merge
patch of the one key, so that two replicas, or a person with kubectl, lose nothing of each other's.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from interpreter.cluster.api import Api, ApiError, Conflict, NotFound
from interpreter.cluster.names import MANAGED_BY, MANAGER
from interpreter.objects import Ref

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
"""What a ConfigMap allows (kubernetes.io/docs, ConfigMap); nothing that leads out of a folder is among it but dots."""


class StoreError(Exception):
    """The records cannot be read or written; the text says why and what to do."""


class Store(Protocol):
    """Each raises `StoreError`."""

    async def read(self) -> Mapping[str, str]:
        """All records."""
        ...

    async def put(self, key: str, value: str | None) -> None:
        """Keep one; None removes it."""
        ...


class Memory:
    """For as long as the tester runs."""

    def __init__(self) -> None:
        self._records: dict[str, str] = {}

    async def read(self) -> Mapping[str, str]:
        """All records."""
        return dict(self._records)

    async def put(self, key: str, value: str | None) -> None:
        """Keep or remove one."""
        if value is None:
            self._records.pop(key, None)
        else:
            self._records[key] = value


class Folder:
    """A file for each record, each written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self) -> Mapping[str, str]:
        """Raises `StoreError`."""
        return await asyncio.to_thread(self._read)

    async def put(self, key: str, value: str | None) -> None:
        """Raises `StoreError`."""
        if not _KEY.fullmatch(key) or key.startswith("."):
            raise StoreError(f"`{key}` cannot be the key of a record")
        await asyncio.to_thread(self._put, key, value)

    def _read(self) -> dict[str, str]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            files = [path for path in self._folder.iterdir() if path.is_file() and not path.name.startswith(".")]
            return {path.name: path.read_text(encoding="utf-8") for path in files}
        except (OSError, ValueError) as error:
            raise StoreError(f"the folder {self._folder} cannot be read: {error}") from error

    def _put(self, key: str, value: str | None) -> None:
        path = self._folder / key
        try:
            if value is None:
                path.unlink(missing_ok=True)
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=self._folder, prefix=".", delete=False) as file:
                file.write(value)
            os.replace(file.name, path)
        except OSError as error:
            raise StoreError(f"the folder {self._folder} cannot be written: {error}") from error


class ConfigMap:
    """One ConfigMap, made when something is first kept."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self._api = api
        self._ref = Ref("v1", "ConfigMap", namespace, name)

    async def read(self) -> Mapping[str, str]:
        """Raises `StoreError`."""
        try:
            found = await self._api.get(self._ref)
        except ApiError as error:
            raise StoreError(f"{self._ref} cannot be read: {error.message}") from error
        return dict((found or {}).get("data") or {})

    async def put(self, key: str, value: str | None) -> None:
        """Raises `StoreError`."""
        if not _KEY.fullmatch(key):
            raise StoreError(f"`{key}` cannot be the key of a record")
        try:
            await self._patch(key, value)
        except ApiError as error:
            raise StoreError(f"{self._ref} cannot be written: {error.message}") from error

    async def _patch(self, key: str, value: str | None) -> None:
        patch = {"data": {key: value}}
        try:
            await self._api.patch(self._ref, patch)
        except NotFound:
            if value is None:
                return
            try:
                await self._api.create({**self._empty(), "data": {key: value}})
            except Conflict:
                await self._api.patch(self._ref, patch)

    def _empty(self) -> dict[str, object]:
        metadata = {"name": self._ref.name, "namespace": self._ref.namespace, "labels": {MANAGED_BY: MANAGER}}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
