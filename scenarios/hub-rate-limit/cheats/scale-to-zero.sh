#!/bin/sh
# title: Scale the workload to nothing
set -eu
kubectl -n {{ ns }} scale statefulset/postgres --replicas=0
