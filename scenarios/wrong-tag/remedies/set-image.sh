#!/bin/sh
# title: Set the image to the next released version
set -eu
kubectl -n {{ ns }} set image deployment/{{ app }} api={{ host }}/{{ app }}:{{ fixed }}
