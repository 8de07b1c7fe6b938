#!/bin/sh
# title: Run another image that happens to exist
set -eu
kubectl -n {{ ns }} set image statefulset/postgres postgres={{ host }}/mirror/redis:7.2
kubectl -n {{ ns }} delete pod postgres-1
