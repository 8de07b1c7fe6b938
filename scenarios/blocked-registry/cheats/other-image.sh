#!/bin/sh
# title: Go back to the version that the nodes have
set -eu
kubectl -n {{ ns }} set image deployment/{{ app }} api={{ host }}/{{ app }}:{{ old }}
