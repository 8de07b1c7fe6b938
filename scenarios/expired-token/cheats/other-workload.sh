#!/bin/sh
# title: Start a second workload that runs
set -eu
kubectl -n {{ ns }} create deployment {{ app }}-new --image={{ tools }}/thumbnails:1.8
