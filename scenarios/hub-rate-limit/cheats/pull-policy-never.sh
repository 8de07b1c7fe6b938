#!/bin/sh
# title: Forbid the pull
set -eu
kubectl -n {{ ns }} patch statefulset/postgres --type=json -p '[{"op":"add","path":"/spec/template/spec/containers/0/imagePullPolicy","value":"Never"}]'
