#!/bin/sh
# title: Roll back to the version that served before
set -eu
kubectl -n {{ ns }} rollout undo deployment/{{ app }}
