"""The Python library of ORAS as a program: push and pull with a user's name and password, as scripts with it do.

usage: with_oras.py [--insecure] [--plain-http] [--user USER] push|pull IMAGE FOLDER        (the password is read)
"""

import argparse
import pathlib
import sys
import time

import oras.client
import requests

parser = argparse.ArgumentParser()
parser.add_argument("--insecure", action="store_true")
parser.add_argument("--plain-http", action="store_true")
parser.add_argument("--user")
parser.add_argument("verb", choices=["push", "pull"])
parser.add_argument("image")
parser.add_argument("folder", type=pathlib.Path)
given = parser.parse_args()

# The library tries everything five times, what is refused as well, and waits longer each time.
time.sleep = lambda seconds: None

host = given.image.split("/")[0]
scheme = "http" if given.plain_http else "https"
verify = False if given.insecure else True
# A user of the library has to know which kind of log-in a registry wants.
asked = requests.get(f"{scheme}://{host}/v2/", verify=verify, timeout=30).headers.get("www-authenticate", "")
backend = "basic" if asked.lower().startswith("basic") else "token"
client = oras.client.OrasClient(
    hostname=host, insecure=given.plain_http, tls_verify=verify, auth_backend=backend
)
if given.user:
    client.auth.set_basic_auth(given.user, sys.stdin.read())
given.folder.mkdir(parents=True, exist_ok=True)
if given.verb == "push":
    files = [given.folder / name for name in ("one.txt", "two.txt")]
    for file in files:
        file.write_text(f"{file.name} for {given.image}\n")
    if backend == "token":
        # The library keeps the first token that it gets, and would ask for one to pull first.
        container = client.get_container(given.image)
        client.do_request(f"{scheme}://{container.upload_blob_url()}", "POST")
    answer = client.push(
        target=given.image, files=[str(file) for file in files], disable_path_validation=True
    )
    assert answer.status_code in (200, 201), answer.text
else:
    pulled = client.pull(target=given.image, outdir=str(given.folder / "pulled"))
    # Layers that are archives have been unpacked.
    assert pulled and any(file.is_file() for file in (given.folder / "pulled").rglob("*")), pulled
print("done")
