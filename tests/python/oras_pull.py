"""Pulls an artifact with oras over plain HTTP: `oras_pull.py IMAGE FOLDER`. Prints one JSON object."""

import json
import sys

import oras.client

image, folder = sys.argv[1:]
client = oras.client.OrasClient(hostname=image.split("/")[0], insecure=True, auth_backend="token")
manifest = client.get_manifest(image)
# Any media type: what a chart or a document has is no image layer.
files = client.pull(target=image, outdir=folder, overwrite=True, allowed_media_type=[])
tags = client.get_tags(image.rsplit(":", 1)[0].split("@")[0])
print(json.dumps({"manifest": manifest, "files": files, "tags": tags}))
