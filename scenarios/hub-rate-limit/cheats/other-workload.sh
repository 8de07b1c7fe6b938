#!/bin/sh
# title: Start a second workload that runs
set -eu
kubectl -n {{ ns }} create deployment postgres-new --image={{ host }}/mirror/redis:7.2
