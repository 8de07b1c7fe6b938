#!/bin/sh
# title: Be content with the old replicas
set -eu
kubectl -n {{ ns }} scale deployment/{{ app }} --replicas=2
