#!/bin/sh
# title: Run another image that needs no login
set -eu
kubectl -n {{ ns }} set image deployment/{{ app }} api={{ host }}/public/cache:7.4
