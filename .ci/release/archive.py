"""A small image in BuildKit's format: an OCI archive of an index with an image and its provenance.

    archive.py ARCHIVE

It prints the digest of the index. https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile

OCI = "application/vnd.oci.image"
files = {"oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode()}


def blob(content, media_type, **more):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = hashlib.sha256(data).hexdigest()
    files[f"blobs/sha256/{digest}"] = data
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data), **more}


def image(layer, diff, platform, **more):
    system = {"architecture": platform[1], "os": platform[0]}
    config = {**system, "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff]}}
    media_type = f"{OCI}.manifest.v1+json"
    content = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": blob(config, f"{OCI}.config.v1+json"),
        "layers": [layer],
    }
    return blob(content, media_type, platform=system, **more)


def index(*manifests):
    return {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": list(manifests)}


def archive(contents):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


root = archive({"release-ticket-action": b"\x7fELF"})
layer = blob(gzip.compress(root, mtime=0), f"{OCI}.layer.v1.tar+gzip")
binary = image(layer, f"sha256:{hashlib.sha256(root).hexdigest()}", ("linux", "amd64"))
statement = blob(
    {"_type": "https://in-toto.io/Statement/v0.1"},
    "application/vnd.in-toto+json",
    annotations={"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"},
)
provenance = image(
    statement,
    statement["digest"],
    ("unknown", "unknown"),
    annotations={
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": binary["digest"],
    },
)
both = blob(index(binary, provenance), f"{OCI}.index.v1+json")
files["index.json"] = json.dumps(index(both)).encode()
with open(sys.argv[1], "wb") as file:
    file.write(archive(files))
print(both["digest"])
