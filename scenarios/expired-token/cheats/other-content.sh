#!/bin/sh
# title: Put another image under the wanted tag, with a fresh login
set -eu
pulldrill image copy {{ tools }}/thumbnails:1.8 {{ host }}/{{ app }}:{{ tag }}
kubectl create secret docker-registry ecr-registry-secret --docker-server={{ host }} --docker-username=AWS --docker-password="$(pulldrill ecr get-login-password --region {{ region }})" --namespace={{ ns }} --dry-run=client -o yaml | kubectl apply -f -
