#!/bin/sh
# title: Replace the secret with a fresh login
set -eu
kubectl create secret docker-registry ecr-registry-secret --docker-server={{ host }} --docker-username=AWS --docker-password="$(pulldrill ecr get-login-password --region {{ region }})" --namespace={{ ns }} --dry-run=client -o yaml | kubectl apply -f -
