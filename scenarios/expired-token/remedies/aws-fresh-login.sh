#!/bin/sh
# title: Replace the secret with a fresh login from the AWS command line
# needs: aws
set -eu
. "$PULLDRILL_DIR/env.sh"
aws ecr get-login-password --region {{ region }} | kubectl create secret docker-registry ecr-registry-secret --docker-server={{ host }} --docker-username=AWS --docker-password="$(aws ecr get-login-password --region {{ region }})" --namespace={{ ns }} --dry-run=client -o yaml | kubectl apply -f -
