//! The repositories that documentation, demos and tests name: one of each kind.

use serde_json::{Map, json};
use types::Did;

use super::{
    Cast, DAY, Dice, END,
    images::{Base, Build},
    oci::{self, Blob, Manifest, OCI_CONFIG, OCI_EMPTY, OCI_MANIFEST},
    pages,
    publisher::{HoldField, Publisher, Target, annotations, tag, tag_key},
};
use crate::{
    Result,
    devnet::{HOLD_LEGACY, HOLD_PRIVATE, HOLD_PUBLIC},
    network::datetime,
    repo::Write,
};

pub(crate) fn publish(publisher: &mut Publisher<'_>, cast: &Cast<'_>) -> Result<()> {
    hello(publisher, &cast.did("alice.test")?)?;
    multi(publisher, &cast.did("alice.test")?)?;
    chart(publisher, &cast.did("bob.test")?)?;
    signed(publisher, &cast.did("bob.test")?)?;
    private(publisher, &cast.did("carol.test")?)?;
    legacy(publisher, &cast.did("dave.test")?)?;
    names(publisher, &cast.did("erin.test")?)
}

/// An image of one architecture with a greeting of its own.
fn image(name: &str, version: &str, architecture: &str, greeting: &str, at: u64) -> Result<Manifest> {
    let annotations = annotations(&[("title", name), ("version", version), ("licenses", "MIT OR Apache-2.0")]);
    let build = Build {
        name,
        version,
        greeting,
        base: Base::Distroless,
        architecture,
        created: &datetime(at),
        ports: &[],
        annotations: &annotations,
        weight: 2_000,
        docker: false,
    };
    build.image()
}

/// `alice.test/hello`: two versions, so that `latest` and `v1` differ, and a page.
fn hello(publisher: &mut Publisher<'_>, alice: &Did) -> Result<()> {
    let versions = [
        ("1.0.0", &["v1"][..], 40, "Hello from crowsnest, version 1.\n"),
        (
            "2.0.0",
            &["v2", "latest"][..],
            2,
            "Hello from crowsnest!\n\nThis image came over the AT Protocol: \
          its manifest from a PDS, its layers from a hold.\n",
        ),
    ];
    for (version, tags, days, greeting) in versions {
        let at = END - days * DAY;
        let target = Target { owner: alice, repository: "hello", hold: HOLD_PUBLIC, at };
        let manifest = image("hello", version, "amd64", greeting, at)?;
        let mut writes = vec![publisher.manifest(&target, &manifest)?];
        writes.extend(tags.iter().map(|name| tag(&target, name, &manifest.blob.digest)));
        publisher.write(at, alice, writes);
    }
    let at = END - DAY;
    let readme = "# hello\n\nThe smallest image that says something.\n\n```sh\ndocker run --rm atcr.io/alice.test/hello\n```\n\n\
                  It is one static binary of a few hundred bytes; `v1` and `latest` are **different** manifests.\n";
    let page = pages::page(publisher, alice, "hello", readme, &mut Dice::new(0, "hello"), at)?;
    publisher.write(at, alice, vec![page]);
    Ok(())
}

/// `alice.test/multi`: two platforms and a buildx attestation under one index; the children have no tags.
fn multi(publisher: &mut Publisher<'_>, alice: &Did) -> Result<()> {
    let at = END - 5 * DAY;
    let target = Target { owner: alice, repository: "multi", hold: HOLD_PUBLIC, at };
    let mut children = Vec::new();
    let mut descriptors = Vec::new();
    for (architecture, variant) in [("amd64", None), ("arm64", Some("v8"))] {
        let greeting = format!("Hello from multi on {architecture}.\n");
        let child = image("multi", "1.0.0", architecture, &greeting, at)?;
        let mut platform = json!({"architecture": architecture, "os": "linux"});
        if let Some(variant) = variant {
            platform["variant"] = json!(variant);
        }
        descriptors.push(child.descriptor(platform));
        children.push(child);
    }
    let attestation = attestation(&children[0]);
    let mut descriptor = attestation.descriptor(json!({"architecture": "unknown", "os": "unknown"}));
    descriptor["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
                                       "vnd.docker.reference.digest": children[0].blob.digest});
    descriptors.push(descriptor);
    children.push(attestation);
    children
        .push(oci::index(&descriptors, &annotations(&[("title", "multi"), ("description", "One tag, two platforms")])));
    let mut writes = children.iter().map(|child| publisher.manifest(&target, child)).collect::<Result<Vec<_>>>()?;
    let top = children.last().map(|index| index.blob.digest.clone());
    writes.extend(top.iter().flat_map(|top| ["1.0.0", "latest"].map(|name| tag(&target, name, top))));
    publisher.write(at, alice, writes);
    Ok(())
}

/// As buildx writes it: an image whose layer is an in-toto statement about another.
fn attestation(of: &Manifest) -> Manifest {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"name": "multi", "digest": {"sha256": of.blob.digest.hex()}}],
        "predicate": {"builder": {"id": "https://ci.alice.test/builds/17"}, "buildType": "https://mobyproject.org/buildkit@v1"},
    });
    let layer = Blob::new("application/vnd.in-toto+json", statement.to_string().into_bytes());
    let config = json!({"architecture": "unknown", "os": "unknown", "config": {},
                        "rootfs": {"type": "layers", "diff_ids": [layer.digest]}});
    let config = Blob::new(OCI_CONFIG, config.to_string().into_bytes());
    oci::manifest(OCI_MANIFEST, config, vec![layer], json!({}))
}

/// `bob.test/chart`: a Helm chart.
fn chart(publisher: &mut Publisher<'_>, bob: &Did) -> Result<()> {
    for (version, days, latest) in [("0.1.0", 60, false), ("0.2.0", 9, true)] {
        let at = END - days * DAY;
        let target = Target { owner: bob, repository: "chart", hold: HOLD_PUBLIC, at };
        let manifest = helm(version)?;
        let mut writes = vec![publisher.manifest(&target, &manifest)?, tag(&target, version, &manifest.blob.digest)];
        writes.extend(latest.then(|| tag(&target, "latest", &manifest.blob.digest)));
        publisher.write(at, bob, writes);
    }
    Ok(())
}

/// As `helm push` writes it: the config is Chart.yaml as JSON, the layer the chart's archive.
fn helm(version: &str) -> Result<Manifest> {
    let about = "nginx behind a gateway, the way Bob deploys it";
    let config = json!({"apiVersion": "v2", "name": "chart", "version": version, "appVersion": "1.28",
                        "type": "application", "description": about});
    let yaml = format!("apiVersion: v2\nname: chart\nversion: {version}\nappVersion: \"1.28\"\ntype: application\n");
    let service =
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  ports:\n    - port: 80\n";
    let files = [
        ("chart/Chart.yaml", yaml.into_bytes()),
        ("chart/values.yaml", b"replicas: 2\n".to_vec()),
        ("chart/templates/service.yaml", service.into()),
    ];
    let (archive, _) = oci::tar_gz(&files)?;
    let layer = Blob::new("application/vnd.cncf.helm.chart.content.v1.tar+gzip", archive);
    let config = Blob::new("application/vnd.cncf.helm.config.v1+json", config.to_string().into_bytes());
    let annotations = annotations(&[("title", "chart"), ("version", version), ("description", about)]);
    Ok(oci::manifest(OCI_MANIFEST, config, vec![layer], json!({"annotations": annotations})))
}

/// `bob.test/signed`: an image with a cosign signature and an SPDX SBOM, both by `subject`, the signature also by tag.
fn signed(publisher: &mut Publisher<'_>, bob: &Did) -> Result<()> {
    let at = END - 7 * DAY;
    let target = Target { owner: bob, repository: "signed", hold: HOLD_PUBLIC, at };
    let image = image("signed", "1.4.0", "amd64", "Signed, sealed, delivered.\n", at)?;
    let signature = signature(publisher, bob, &image)?;
    let manifests = [&image, &signature, &sbom(&image, &datetime(at))];
    let mut writes = manifests.map(|one| publisher.manifest(&target, one)).into_iter().collect::<Result<Vec<_>>>()?;
    writes.extend(["1.4.0", "latest"].map(|name| tag(&target, name, &image.blob.digest)));
    writes.push(tag(&target, &format!("sha256-{}.sig", image.blob.digest.hex()), &signature.blob.digest));
    publisher.write(at, bob, writes);
    Ok(())
}

/// As cosign writes it: the layer is what was signed, its annotation the signature.
fn signature(publisher: &Publisher<'_>, signer: &Did, of: &Manifest) -> Result<Manifest> {
    let payload = json!({
        "critical": {"identity": {"docker-reference": "atcr.io/bob.test/signed"},
                     "image": {"docker-manifest-digest": of.blob.digest}, "type": "cosign container image signature"},
        "optional": null,
    });
    let payload = Blob::new("application/vnd.dev.cosign.simplesigning.v1+json", payload.to_string().into_bytes());
    let signature = data_encoding::BASE64.encode(&publisher.network.keys.sign(signer, &payload.bytes)?);
    let mut layer = payload.descriptor();
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
    let config = json!({"architecture": "", "os": "", "config": {},
                        "rootfs": {"type": "layers", "diff_ids": [payload.digest]}});
    let config = Blob::new(OCI_CONFIG, config.to_string().into_bytes());
    let extra = json!({"layers": [layer], "subject": of.blob.descriptor()});
    Ok(oci::manifest(OCI_MANIFEST, config, vec![payload], extra))
}

/// An SPDX document as an artifact that refers to the image.
fn sbom(of: &Manifest, created: &str) -> Manifest {
    let spdx = json!({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "signed-1.4.0",
        "documentNamespace": "https://bob.test/spdx/signed-1.4.0",
        "creationInfo": {"created": created, "creators": ["Tool: syft-1.29.0"]},
        "packages": [{"name": "signed", "SPDXID": "SPDXRef-signed", "versionInfo": "1.4.0",
                      "downloadLocation": "NOASSERTION"}],
    });
    let document = Blob::new("application/spdx+json", spdx.to_string().into_bytes());
    let extra = json!({"artifactType": "application/spdx+json", "subject": of.blob.descriptor(),
                       "annotations": annotations(&[("created", created)])});
    oci::manifest(OCI_MANIFEST, Blob::new(OCI_EMPTY, b"{}".to_vec()), vec![document], extra)
}

/// `carol.test/private`: its blobs are on a private hold.
fn private(publisher: &mut Publisher<'_>, carol: &Did) -> Result<()> {
    let at = END - 12 * DAY;
    let target = Target { owner: carol, repository: "private", hold: HOLD_PRIVATE, at };
    let manifest = image("private", "0.1.0", "amd64", "For Carol and her crew.\n", at)?;
    let writes = vec![publisher.manifest(&target, &manifest)?, tag(&target, "latest", &manifest.blob.digest)];
    publisher.write(at, carol, writes);
    Ok(())
}

/// `dave.test/legacy`: the oldest shapes, on a hold of the old generation. `0.1` has no `manifestBlob`.
fn legacy(publisher: &mut Publisher<'_>, dave: &Did) -> Result<()> {
    for (version, days, with_blob) in [("0.1", 300, false), ("0.2", 250, true)] {
        let at = END - days * DAY;
        let target = Target { owner: dave, repository: "legacy", hold: HOLD_LEGACY, at };
        let greeting = format!("legacy {version}: from before manifests were kept.\n");
        let build = Build {
            name: "legacy",
            version,
            greeting: &greeting,
            base: Base::Alpine,
            architecture: "amd64",
            created: &datetime(at),
            ports: &[],
            annotations: &Map::new(),
            weight: 3_000,
            docker: true,
        };
        let manifest = build.image()?;
        publisher.store(HOLD_LEGACY, &manifest)?;
        let bytes = &manifest.blob.bytes;
        let blob = with_blob.then(|| publisher.network.put_blob(dave, &manifest.blob.media_type, bytes)).transpose()?;
        let record = publisher.manifest_record(&target, &manifest, HoldField::Endpoint, blob);
        let tag = |name: &str| {
            let record = json!({"$type": "io.atcr.tag", "repository": "legacy", "tag": name,
                                "manifestDigest": manifest.blob.digest, "createdAt": datetime(at)});
            Write::create("io.atcr.tag", tag_key("legacy", name), record)
        };
        let mut writes = vec![Write::create("io.atcr.manifest", manifest.blob.digest.hex(), record), tag(version)];
        writes.extend(with_blob.then(|| tag("latest")));
        publisher.write(at, dave, writes);
    }
    Ok(())
}

/// `erin.test/team/app`, whose name has a slash, and `erin.test/MyApp`, whose name no OCI client can ask for.
fn names(publisher: &mut Publisher<'_>, erin: &Did) -> Result<()> {
    for (repository, days) in [("team/app", 15), ("MyApp", 33)] {
        let at = END - days * DAY;
        let target = Target { owner: erin, repository, hold: HOLD_PUBLIC, at };
        let manifest = image(repository, "1.0.0", "amd64", &format!("This is {repository}.\n"), at)?;
        let mut writes = vec![publisher.manifest(&target, &manifest)?];
        writes.extend(["1.0.0", "latest"].map(|name| tag(&target, name, &manifest.blob.digest)));
        publisher.write(at, erin, writes);
    }
    Ok(())
}
