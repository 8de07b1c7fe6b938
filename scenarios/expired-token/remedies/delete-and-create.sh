#!/bin/sh
# title: Delete the secret and create it anew
set -eu
kubectl -n {{ ns }} delete secret ecr-registry-secret
kubectl -n {{ ns }} create secret docker-registry ecr-registry-secret --docker-server={{ host }} --docker-username=AWS --docker-password="$(pulldrill ecr get-login-password --region {{ region }})"
