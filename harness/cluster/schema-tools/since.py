#!/usr/bin/env python3
"""Makes ../src/schema/since.json: from which release on the fields of Kubernetes' built-in types are there.

Usage: since.py ../src/schema/kubernetes.json WHEEL... > ../src/schema/since.json

Each WHEEL is a release of PyPI's package `kubernetes` (`pip download --no-deps kubernetes==20.13.0`), whose models are
generated from the OpenAPI document of the Kubernetes release that its major version is; give one for every release from
1.20 on. Told is what is newer than the first release that has the type; what no document has is newer than the last
that has the type. Fields behind a feature gate count from the release whose document lists them.

The table, one line a definition: "core.v1.PodSpec": {"schedulingGates": 26}
"""

import json
import re
import sys
import zipfile
from pathlib import Path

NAME = re.compile(r"kubernetes-(\d+)\.")
CLASS = re.compile(r"^class (\w+)\(", re.M)
MAP = re.compile(r"attribute_map = \{(.*?)\}", re.S)
FIELD = re.compile(r"'\w+': '([^']+)'")


def models(wheel):
    """The JSON names of the fields of every model."""
    out = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.startswith("kubernetes/client/models/"):
                continue
            text = archive.read(name).decode()
            if (found := CLASS.search(text)) and (fields := MAP.search(text)):
                out[found[1].lower()] = set(FIELD.findall(fields[1]))
    return out


def fields(table, definition):
    """The fields of a definition as JSON shows them, and the definition that each is of."""
    for name, field in table[definition].get("fields", {}).items():
        if name.startswith("+"):
            yield from fields(table, field["t"])
        else:
            yield name, definition


def model(release, definition):
    """The model of a definition: where two groups have one of that name, the group's is in front."""
    group, version, name = definition.split(".")
    known = [key for key in (f"{group}{version}{name}", f"{version}{name}") if key.lower() in release]
    return release[known[0].lower()] if known else None


def main():
    table = json.loads(Path(sys.argv[1]).read_text())
    releases = {int(NAME.search(wheel)[1]): models(wheel) for wheel in sys.argv[2:]}
    since = {}
    for definition in sorted(table):
        known = {minor: found for minor in sorted(releases) if (found := model(releases[minor], definition)) is not None}
        for name, owner in fields(table, definition) if known else ():
            if name in ("apiVersion", "kind"):
                continue
            first = min((minor for minor in known if name in known[minor]), default=max(known) + 1)
            if first > min(known):
                since.setdefault(owner, {})[name] = max(first, since.get(owner, {}).get(name, 0))
    print("{")
    rows = [f"{json.dumps(name)}: {json.dumps(dict(sorted(since[name].items())))}" for name in sorted(since)]
    print(",\n".join(rows))
    print("}")


if __name__ == "__main__":
    main()
