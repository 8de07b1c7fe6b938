#!/bin/sh
# title: Correct the tag in the editor
set -eu
KUBE_EDITOR='sed -i s/:{{ wanted }}/:{{ fixed }}/' kubectl -n {{ ns }} edit deployment/{{ app }}
