#!/bin/sh
# title: Run another image that happens to exist
set -eu
kubectl -n {{ ns }} set image deployment/{{ app }} api={{ host }}/{{ team }}-worker:{{ wanted }}
