#!/bin/sh
# title: Copy the image to the company's registry and use it from there
set -eu
pulldrill image copy docker.io/library/postgres:{{ wanted }} {{ host }}/mirror/postgres:{{ wanted }}
kubectl -n {{ ns }} set image statefulset/postgres postgres={{ host }}/mirror/postgres:{{ wanted }}
kubectl -n {{ ns }} delete pod postgres-1
