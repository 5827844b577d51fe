"""What of the chart and the kustomize base is made from the code, so that they never differ from `rollway install`.

`python -m deploy.generate` writes it; with `--check` it says which files are not what the code says.

The chart's rights are data, `files/rules.yaml`: lists of rules out of `interpreter.cluster.access`, from which the
template takes those of the providers in use. The definitions are copies, for a chart holds its own files. The table of
values in the chart's README is made of the comments in `values.yaml`. The kustomize base is what `rollway install`
prints.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml

import crds
from interpreter.cluster import access
from interpreter.cluster.access import Rule
from interpreter.cluster.manifests import Installation, documents

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "deploy" / "charts" / "rollway"
KUSTOMIZE = ROOT / "deploy" / "kustomize"

_HEAD = "# Generated from {} by `make generate`.\n"
_BEGIN, _END = "<!-- values: generated from values.yaml by `make generate` -->\n", "<!-- end of values -->\n"
_COMMENT = re.compile(r"^ *# (.*)$")
_KEY = re.compile(r"^( *)([\w./]+):")
_WHOLE = ("resources", "podAnnotations")
"""Values with others in them that are one to a person."""


def files() -> dict[Path, str]:
    """Every file that is made, with its text. Raises ValueError for a value in `values.yaml` that says nothing of
    itself."""
    copies = {CHART / "files" / "crds" / name: text for name, text in crds.definitions().items()}
    readme = CHART / "README.md"
    return {
        CHART / "files" / "rules.yaml": _HEAD.format("interpreter/cluster/access.py") + _dumped(rules()),
        **copies,
        readme: with_values(readme.read_text(encoding="utf-8"), (CHART / "values.yaml").read_text(encoding="utf-8")),
        KUSTOMIZE / "crds.yaml": "---\n".join(crds.definitions().values()),
        KUSTOMIZE / "rollway.yaml": _HEAD.format("`rollway install`") + "---\n".join(documents(_own())),
    }


def rules() -> dict[str, Any]:
    """The chart's rules. `flagger` and `plain` have what is granted with and without Flagger's objects: `always`, and
    beside it for each of `providers`; `metrics` the same for what is asked through the API server. The rest are lists
    for a Role or ClusterRole each."""
    return {
        "flagger": _granted(flagger=True),
        "plain": _granted(flagger=False),
        "metrics": {name: _listed(those) for name, those in access.METRICS.items()},
        "leases": _listed(access.LEASES),
        "judge": _listed(access.JUDGE),
        "pages": _listed(access.PAGES),
        "linkKeys": _listed(access.LINK_KEYS),
        "admissionSecret": _listed(access.ADMISSION_SECRET),
        "admission": _listed(access.ADMISSION),
    }


def _granted(*, flagger: bool) -> dict[str, Any]:
    always = access.rules((), flagger=flagger)
    beside = {
        name: [rule for rule in access.rules([name], flagger=flagger) if rule not in always] for name in access.ROUTES
    }
    return {"always": _listed(always), "providers": {name: _listed(those) for name, those in beside.items()}}


def _listed(those: Iterable[Rule]) -> list[dict[str, Any]]:
    return [
        {
            "why": rule.why,
            "apiGroups": [rule.group],
            "resources": list(rule.resources),
            "verbs": list(rule.verbs),
            **({"resourceNames": list(rule.only)} if rule.only else {}),
            **({"cluster": True} if rule.cluster else {}),
        }
        for rule in those
    ]


def with_values(readme: str, values: str) -> str:
    """The README with its table of values made anew."""
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = [f"| `{path}` | `{json.dumps(default)}` | {about} |" for path, default, about in described(values)]
    return "\n".join([before + _BEGIN, "| value | default | |", "| --- | --- | --- |", *rows, "", _END + after])


def described(values: str) -> Iterator[tuple[str, Any, str]]:
    """Of each value: its path with dots, the default, and the comment over it. A group is not listed itself, but what
    is in it. Raises ValueError for one without a comment."""
    defaults = yaml.safe_load(values)
    within: list[tuple[int, str]] = []
    about: list[str] = []
    for line in values.splitlines():
        comment, key = _COMMENT.match(line), _KEY.match(line)
        if comment is not None:
            about.append(comment[1])
        elif key is None:
            about = []
        else:
            within = [*(each for each in within if each[0] < len(key[1])), (len(key[1]), key[2])]
            path = [name for _, name in within]
            if path[0] in _WHOLE and len(path) > 1:
                continue
            if not about:
                raise ValueError(f"values.yaml: `{'.'.join(path)}` has no comment that says what it is")
            default = reduce(getitem, path, defaults)
            if not (isinstance(default, dict) and default) or path[0] in _WHOLE:
                yield ".".join(path), default, " ".join(about)
            about = []


def _dumped(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=118, default_flow_style=None)


def _own() -> Installation:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return Installation(image=f"rollway:{version}")


def main(arguments: list[str]) -> int:
    made = files()
    extra = set((CHART / "files" / "crds").glob("*.yaml")) - made.keys()
    stale = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in sorted({*stale, *extra}):
            print(f"{path.relative_to(ROOT)} is not what the code says: run make generate", file=sys.stderr)
        return 1 if stale or extra else 0
    for path in extra:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
