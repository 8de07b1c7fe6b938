#!/bin/sh
# title: Delete the pod that fails
set -eu
kubectl -n {{ ns }} delete pod postgres-1
