#!/bin/sh
# title: Copy another image under the wanted name
set -eu
pulldrill image copy {{ host }}/mirror/redis:7.2 {{ host }}/mirror/postgres:{{ wanted }}
kubectl -n {{ ns }} set image statefulset/postgres postgres={{ host }}/mirror/postgres:{{ wanted }}
kubectl -n {{ ns }} delete pod postgres-1
