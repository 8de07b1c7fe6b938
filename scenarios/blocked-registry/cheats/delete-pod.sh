#!/bin/sh
# title: Delete the pods that fail
set -eu
failing=$(kubectl -n {{ ns }} get pods -l app={{ app }} --no-headers | grep -v ' Running ' | sed 's/ .*//')
kubectl -n {{ ns }} delete pod $failing
