#!/bin/sh
# title: Delete the workload
set -eu
kubectl -n {{ ns }} delete statefulset/postgres
