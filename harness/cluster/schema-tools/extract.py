#!/usr/bin/env python3
"""Makes ../src/schema/kubernetes.json: the facts about Kubernetes' built-in types.

Usage: extract.py GOPATH_SRC > ../src/schema/kubernetes.json

GOPATH_SRC is the folder that holds k8s.io/api and k8s.io/apimachinery as sources; Debian's packages
golang-k8s-api-dev and golang-k8s-apimachinery-dev put it at /usr/share/gocode/src (`apt-get download`, then
`dpkg -x`; the table in the repository was made from 0.36.4). Read are the struct tags and the `+listType`-like
markers of each types.go: field numbers, JSON names, types, which fields may be absent, how lists are patched.
Sentences are not read: the descriptions are our own, in ../src/schema/descriptions/.

The table, one line a definition:
    "core.v1.Container": {"fields": {"image": {"n": 2, "t": "string"}, ...}}
    kind: true       the type is a kind of its own (it has apiVersion and kind)
    atomic: true     server-side apply replaces it as a whole
    items: TYPE      not an object but a list, which protobuf wraps into a message
    fields           by JSON name; "+Name" is a message whose fields lie in the object itself
      n number in protobuf      t type: scalars as Go calls them, []T, map[string]T, package.version.Name,
                                  or name=scalar for a named scalar
      p pointer: absent and zero differ     r required: always present     z kept when zero
      s patch strategy    k patch merge key    l list type    m list map keys
      d default, where the API documents one that is a string
"""

import json
import re
import sys
from pathlib import Path

API = "core/v1 apps/v1 batch/v1 batch/v1beta1 autoscaling/v1 autoscaling/v2 policy/v1 policy/v1beta1 rbac/v1 " \
    "networking/v1 certificates/v1 certificates/v1beta1 authentication/v1 authentication/v1beta1 authentication/v1alpha1 authorization/v1 " \
    "coordination/v1 discovery/v1 events/v1 storage/v1 scheduling/v1"
# Packages of named types that are plain strings, or that JSON writes in a way of its own.
FOREIGN = {
    "types.UID": "types.UID=string", "types.NodeName": "types.NodeName=string",
    "resource.Quantity": "resource.Quantity", "intstr.IntOrString": "intstr.IntOrString",
    "runtime.RawExtension": "runtime.RawExtension", "runtime.Object": "runtime.RawExtension",
}
OPAQUE = {"meta.v1.Time", "meta.v1.MicroTime", "meta.v1.Duration", "meta.v1.FieldsV1", "meta.v1.Timestamp"}
SCALARS = {"string", "bool", "int", "int32", "int64", "uint32", "uint64", "float64"}

STRUCT = re.compile(r"^type (\w+) struct \{")
NAMED = re.compile(r"^type (\w+) ([\[\]\w.]+)$")
FIELD = re.compile(r"^\t(?:(\w+)\s+)?([*\[\]\w.]+)\s+`([^`]*)`")
TAG = re.compile(r'(\w+):"([^"]*)"')
MARK = re.compile(r"^\s*// ?\+(?:k8s:)?(\w+)(?:=(\S+))?")
IMPORT = re.compile(r'^\s*(\w+)?\s*"k8s.io/(api|apimachinery/pkg/apis)/([\w/]+)"')


def split(type_name):
    """The markers in front of a Go type, and the rest."""
    front = ""
    while True:
        for prefix in ("[]", "*", "map["):
            if type_name.startswith(prefix):
                break
        else:
            return front, type_name
        if prefix == "map[":
            prefix = type_name[: type_name.index("]") + 1]
        front += "map[string]" if prefix.startswith("map[") else prefix
        type_name = type_name[len(prefix):]


class Package:
    """One types.go, and what its names mean."""

    def __init__(self, path, name):
        self.name, self.structs, self.named, self.imports = name, {}, {}, {}
        for file in sorted(path.glob("*.go")):
            if file.name.endswith("_test.go") or file.name.startswith("zz_"):
                continue
            text = file.read_text()
            for line in text.splitlines():
                if found := IMPORT.match(line):
                    parts = found[3].split("/")
                    self.imports[found[1] or parts[-1]] = ".".join(parts[-2:])
            if "types" in file.name and "swagger" not in file.name:
                self.read(text.splitlines())

    def read(self, lines):
        marks, struct = [], None
        for line in lines:
            if found := MARK.match(line):
                marks.append((found[1], found[2]))
            elif found := STRUCT.match(line):
                struct = {"marks": marks, "fields": []}
                self.structs[found[1]] = struct
                marks = []
            elif found := NAMED.match(line):
                self.named[found[1]] = found[2]
                marks = []
            elif struct is not None and (found := FIELD.match(line)):
                struct["fields"].append((found[1], found[2], dict(TAG.findall(found[3])), marks))
                marks = []
            elif line.startswith("}"):
                struct, marks = None, []
            elif not line.strip().startswith("//") and line.strip():
                marks = []


class Table:
    def __init__(self, source):
        self.packages = {"meta.v1": Package(source / "k8s.io/apimachinery/pkg/apis/meta/v1", "meta.v1")}
        for path in API.split():
            name = path.replace("/", ".")
            self.packages[name] = Package(source / "k8s.io/api" / path, name)
        self.definitions, self.wanted = {}, []

    def resolve(self, package, type_name):
        """A Go type as the table writes it."""
        front, base = split(type_name)
        if base in SCALARS:
            return front + base
        if base == "byte" and front.endswith("[]"):
            return front[:-2] + "bytes"
        if base in FOREIGN:
            return front + FOREIGN[base]
        home, name = package, base
        if "." in base:
            alias, name = base.split(".")
            home = self.packages[package.imports[alias]]
        if name in home.named:
            target = self.resolve(home, home.named[name])
            if target.startswith("[]"):
                self.definitions[f"{home.name}.{name}"] = {"items": target[2:]}
                return f"{front}{home.name}.{name}"
            if target in SCALARS:
                return f"{front}{home.name}.{name}={target}"
            return front + target
        full = f"{home.name}.{name}"
        if full not in OPAQUE:
            self.want(home, name)
        return front + full

    def want(self, package, name):
        full = f"{package.name}.{name}"
        if full not in self.definitions:
            self.definitions[full] = None
            self.definitions[full] = self.definition(package, package.structs[name])

    def definition(self, package, struct):
        out, fields = {}, {}
        if ("structType", "atomic") in struct["marks"]:
            out["atomic"] = True
        for name, go_type, tags, marks in struct["fields"]:
            json_name, *options = tags.get("json", "").split(",")
            if go_type.endswith("TypeMeta") and "inline" in options:
                out["kind"] = True
                continue
            if json_name == "-" or tags.get("protobuf", "-") == "-":
                continue
            field = {"n": int(tags["protobuf"].split(",")[1])}
            pointer = go_type.startswith("*")
            field["t"] = self.resolve(package, go_type.lstrip("*")).replace("*", "")
            if "inline" in options and not json_name:
                fields["+" + (name or go_type.split(".")[-1])] = field
                continue
            if pointer:
                field["p"] = True
            absent = "omitempty" in options or "omitzero" in options
            if not pointer and "omitzero" not in options and (not absent or self.is_struct(field["t"])):
                field["z"] = True
            if ("required", None) in marks or (not absent and ("optional", None) not in marks):
                field["r"] = True
            if "patchStrategy" in tags:
                field["s"] = tags["patchStrategy"]
            if "patchMergeKey" in tags:
                field["k"] = tags["patchMergeKey"]
            for mark, value in marks:
                if mark in ("listType", "mapType", "structType"):
                    field["l"] = value
                elif mark == "default" and value.startswith('"'):
                    field["d"] = value.strip('"')
                elif mark == "listMapKey":
                    field.setdefault("m", []).append(value.strip('"'))
            fields[json_name] = field
        out["fields"] = fields
        return out

    def is_struct(self, type_name):
        """Whether Go's omitempty has no effect on it."""
        foreign = type_name in FOREIGN.values() and "=" not in type_name
        return type_name in OPAQUE or foreign or (
            type_name in self.definitions and "items" not in (self.definitions[type_name] or {}))

    def all(self):
        for package in list(self.packages.values()):
            for name, struct in package.structs.items():
                if any(t.endswith("TypeMeta") and "inline" in g.get("json", "") for _, t, g, _ in struct["fields"]):
                    self.want(package, name)
        return self.definitions


def main():
    table = Table(Path(sys.argv[1])).all()
    print("{")
    rows = [f"{json.dumps(name)}: {json.dumps(table[name], separators=(',', ':'))}" for name in sorted(table)]
    print(",\n".join(rows))
    print("}")


if __name__ == "__main__":
    main()
