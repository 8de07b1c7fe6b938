#!/bin/sh
# title: Start a second workload that runs
set -eu
kubectl -n {{ ns }} create deployment {{ app }}-new --image={{ host }}/public/cache:7.4
