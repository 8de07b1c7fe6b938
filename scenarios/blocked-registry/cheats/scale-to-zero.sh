#!/bin/sh
# title: Scale the workload to nothing
set -eu
kubectl -n {{ ns }} scale deployment/{{ app }} --replicas=0
