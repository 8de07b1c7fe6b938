#!/bin/sh
# title: Correct the tag in the object and apply it
set -eu
kubectl -n {{ ns }} get deployment/{{ app }} -o yaml | sed s/:{{ wanted }}/:{{ fixed }}/ | kubectl apply -f -
