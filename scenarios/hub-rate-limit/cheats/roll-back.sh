#!/bin/sh
# title: Go back to the version that the nodes have
set -eu
kubectl -n {{ ns }} rollout undo statefulset/postgres
kubectl -n {{ ns }} delete pod postgres-1
