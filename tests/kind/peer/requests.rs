//! What both are asked, in this order: requests depend on what earlier ones have left behind.

use super::{PASSWORD, USER};

const NOWHERE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An image in the parts that a push sends.
pub(crate) struct Pushed {
    pub(crate) media: String,
    pub(crate) digest: String,
    pub(crate) manifest: Vec<u8>,
    /// Digest and content.
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
}

/// One request.
pub(crate) struct Request {
    /// What it is about; no two have the same.
    pub(crate) what: &'static str,
    pub(crate) method: &'static str,
    /// `{upload}` stands for where the last upload goes on.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) user: Option<(&'static str, &'static str)>,
    pub(crate) body: Vec<u8>,
}

fn ask(what: &'static str, method: &'static str, path: impl Into<String>) -> Request {
    Request { what, method, path: path.into(), headers: Vec::new(), user: None, body: Vec::new() }
}

impl Request {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn of(self, user: &'static str, password: &'static str) -> Self {
        Self { user: Some((user, password)), ..self }
    }

    fn body(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }
    }
}

/// What is asked where everybody may do everything.
pub(crate) fn open(docker: &Pushed, oci: &Pushed) -> Vec<Request> {
    let mut all = empty();
    all.extend(uploads(docker));
    all.extend(manifests(docker, oci));
    all.extend(reading(docker, oci));
    all.extend(lists());
    all.extend(deleting(docker, oci));
    all
}

fn empty() -> Vec<Request> {
    vec![
        ask("base", "GET", "/v2/"),
        ask("base by HEAD", "HEAD", "/v2/"),
        ask("base without its slash", "GET", "/v2"),
        ask("another version", "GET", "/v3/"),
        ask("a path of nothing", "GET", "/v2/team/app/nothing"),
        ask("empty catalog", "GET", "/v2/_catalog"),
        ask("tags of an unknown repository", "GET", "/v2/no/where/tags/list"),
        ask("tag of an unknown repository", "GET", "/v2/no/where/manifests/1"),
        ask("tag of an unknown repository by HEAD", "HEAD", "/v2/no/where/manifests/1"),
        ask("digest of an unknown repository", "GET", format!("/v2/no/where/manifests/{NOWHERE}")),
        ask("blob of an unknown repository", "GET", format!("/v2/no/where/blobs/{NOWHERE}")),
        ask(
            "upload of an unknown repository",
            "GET",
            "/v2/no/where/blobs/uploads/0c4b2d4e-0000-4000-8000-000000000000",
        ),
        ask("capital in a name", "GET", "/v2/Team/app/manifests/1"),
        ask("capital in a name, tags", "GET", "/v2/Team/tags/list"),
        ask("two dots in a name", "GET", "/v2/a..b/manifests/1"),
        ask("dash at the end of a name", "GET", "/v2/app-/manifests/1"),
        ask("name of 300 letters", "GET", format!("/v2/{}/manifests/1", "a".repeat(300))),
        ask("tag of 129 letters", "GET", format!("/v2/team/app/manifests/{}", "a".repeat(129))),
        ask("tag that begins with a dot", "GET", "/v2/team/app/manifests/.x"),
        ask("digest too short, manifest", "GET", "/v2/team/app/manifests/sha256:abc"),
        ask("digest too short, blob", "GET", "/v2/team/app/blobs/sha256:abc"),
        ask(
            "digest of an unknown algorithm, blob",
            "GET",
            format!("/v2/team/app/blobs/md6:{}", "a".repeat(64)),
        ),
        ask("no digest, blob", "GET", "/v2/team/app/blobs/latest"),
        ask("method of no manifest", "POST", "/v2/team/app/manifests/1"),
        ask("method of no list", "DELETE", "/v2/team/app/tags/list"),
        ask("method of no blob", "PUT", format!("/v2/team/app/blobs/{NOWHERE}")),
        ask("method of no catalog", "POST", "/v2/_catalog"),
    ]
}

fn uploads(image: &Pushed) -> Vec<Request> {
    let begin = |what| ask(what, "POST", "/v2/team/app/blobs/uploads/");
    let (config, body) = (&image.blobs[0].0, image.blobs[0].1.as_slice());
    let (layer, whole) = (&image.blobs[1].0, image.blobs[1].1.as_slice());
    let (first, second) = whole.split_at(whole.len() / 2);
    vec![
        begin("upload begins"),
        ask("upload at its beginning", "GET", "{upload}"),
        ask("upload goes on", "PATCH", "{upload}")
            .with("content-type", "application/octet-stream")
            .body(first),
        ask("upload half way", "GET", "{upload}"),
        ask("upload ends", "PUT", format!("{{upload}}?digest={layer}"))
            .with("content-type", "application/octet-stream")
            .body(second),
        ask("upload after its end", "GET", "{upload}"),
        ask("blob just pushed", "HEAD", format!("/v2/team/app/blobs/{layer}")),
        begin("upload with a wrong digest begins"),
        ask("upload with a wrong digest", "PUT", format!("{{upload}}?digest={NOWHERE}")).body(body),
        begin("upload with no digest begins"),
        ask("upload with no digest", "PUT", "{upload}").body(body),
        begin("upload with a malformed digest begins"),
        ask("upload with a malformed digest", "PUT", "{upload}?digest=sha256:abc").body(body),
        begin("upload with a gap begins"),
        ask("upload with a gap", "PATCH", "{upload}")
            .with("content-type", "application/octet-stream")
            .with("content-range", "7-9")
            .body(b"abc"),
        begin("upload to be given up begins"),
        ask("upload given up", "DELETE", "{upload}"),
        ask("upload that was given up", "GET", "{upload}"),
        begin("upload in one piece begins"),
        ask("upload in one piece", "PUT", format!("{{upload}}?digest={config}")).body(body),
        ask("mount", "POST", format!("/v2/team/other/blobs/uploads/?mount={layer}&from=team/app")),
        ask("mounted blob", "HEAD", format!("/v2/team/other/blobs/{layer}")),
        ask(
            "mount of nothing",
            "POST",
            format!("/v2/team/other/blobs/uploads/?mount={NOWHERE}&from=team/app"),
        ),
    ]
}

fn manifests(docker: &Pushed, oci: &Pushed) -> Vec<Request> {
    let put = |what, reference: &str, image: &Pushed| {
        ask(what, "PUT", format!("/v2/team/app/manifests/{reference}"))
            .with("content-type", image.media.clone())
            .body(&image.manifest)
    };
    let mut all = vec![
        put("manifest with a wrong digest", NOWHERE, docker),
        put("manifest that is no JSON", "1", docker).body(b"{"),
        put("manifest that is empty", "1", docker).body(b""),
        put("manifest of an image", "1", docker),
        put("manifest by digest", &docker.digest, docker),
        put("manifest with a blob missing", "oci", oci),
    ];
    for ((digest, body), (begin, end)) in
        oci.blobs.iter().zip([("config begins", "config ends"), ("layer begins", "layer ends")])
    {
        all.push(ask(begin, "POST", "/v2/team/app/blobs/uploads/"));
        all.push(ask(end, "PUT", format!("{{upload}}?digest={digest}")).body(body));
    }
    all.push(put("manifest of an OCI image", "oci", oci));
    all
}

fn reading(docker: &Pushed, oci: &Pushed) -> Vec<Request> {
    let manifest = |what, method, reference: &str, accept: &str| {
        ask(what, method, format!("/v2/team/app/manifests/{reference}")).with("accept", accept)
    };
    let blob = |what, method| ask(what, method, format!("/v2/team/app/blobs/{}", docker.blobs[1].0));
    let none_match = format!("\"{}\"", docker.digest);
    vec![
        manifest("manifest by tag", "GET", "1", DOCKER),
        manifest("manifest by tag and HEAD", "HEAD", "1", DOCKER),
        manifest("manifest by its digest", "GET", &docker.digest, DOCKER),
        manifest("manifest by its digest and HEAD", "HEAD", &docker.digest, DOCKER),
        manifest("manifest that is known already", "GET", "1", DOCKER).with("if-none-match", none_match),
        manifest("OCI manifest by tag", "GET", "oci", OCI),
        manifest("OCI manifest by HEAD", "HEAD", "oci", OCI),
        manifest("OCI manifest in a list of types", "GET", "oci", &format!("{DOCKER}, {OCI};q=0.5")),
        manifest("OCI manifest for who wants another", "GET", "oci", DOCKER),
        manifest("OCI manifest for who wants anything", "GET", "oci", "*/*"),
        manifest("OCI manifest by digest for who wants another", "GET", &oci.digest, DOCKER),
        manifest("unknown tag", "GET", "2", DOCKER),
        manifest("unknown tag by HEAD", "HEAD", "2", DOCKER),
        manifest("unknown digest", "GET", NOWHERE, DOCKER),
        blob("blob", "GET"),
        blob("blob by HEAD", "HEAD"),
        blob("first bytes of a blob", "GET").with("range", "bytes=0-9"),
        blob("last bytes of a blob", "GET").with("range", "bytes=-9"),
        blob("bytes after the end of a blob", "GET").with("range", "bytes=99999999-"),
        ask("unknown blob", "GET", format!("/v2/team/app/blobs/{NOWHERE}")),
        ask("unknown blob by HEAD", "HEAD", format!("/v2/team/app/blobs/{NOWHERE}")),
        ask("manifest as a blob", "GET", format!("/v2/team/app/blobs/{}", docker.digest)),
    ]
}

fn lists() -> Vec<Request> {
    vec![
        ask("tags", "GET", "/v2/team/app/tags/list"),
        ask("first tag", "GET", "/v2/team/app/tags/list?n=1"),
        ask("tags after the first", "GET", "/v2/team/app/tags/list?n=1&last=1"),
        ask("catalog", "GET", "/v2/_catalog"),
        ask("first of the catalog", "GET", "/v2/_catalog?n=1"),
        ask("rest of the catalog", "GET", "/v2/_catalog?n=5&last=team/app"),
        ask("tags of a repository without", "GET", "/v2/team/other/tags/list"),
    ]
}

fn deleting(docker: &Pushed, oci: &Pushed) -> Vec<Request> {
    let layer = &docker.blobs[1].0;
    vec![
        ask("unknown tag to delete", "DELETE", "/v2/team/app/manifests/2"),
        ask("unknown digest to delete", "DELETE", format!("/v2/team/app/manifests/{NOWHERE}")),
        ask("unknown blob to delete", "DELETE", format!("/v2/team/app/blobs/{NOWHERE}")),
        ask("tag to delete", "DELETE", "/v2/team/app/manifests/oci"),
        ask("deleted tag", "GET", "/v2/team/app/manifests/oci").with("accept", OCI),
        ask("manifest of a deleted tag", "HEAD", format!("/v2/team/app/manifests/{}", oci.digest))
            .with("accept", OCI),
        ask("manifest to delete", "DELETE", format!("/v2/team/app/manifests/{}", docker.digest)),
        ask("deleted manifest", "GET", format!("/v2/team/app/manifests/{}", docker.digest)),
        ask("tag of a deleted manifest", "GET", "/v2/team/app/manifests/1"),
        ask("tags that are left", "GET", "/v2/team/app/tags/list"),
        ask("blob to delete", "DELETE", format!("/v2/team/app/blobs/{layer}")),
        ask("deleted blob", "GET", format!("/v2/team/app/blobs/{layer}")),
    ]
}

/// What is asked where one user may do everything and nobody else anything.
pub(crate) fn closed(image: &Pushed) -> Vec<Request> {
    let known = |what, method, path: &str| ask(what, method, path).of(USER, PASSWORD);
    let digest = &image.blobs[0].0;
    vec![
        ask("base for nobody", "GET", "/v2/"),
        ask("base for nobody by HEAD", "HEAD", "/v2/"),
        ask("base with a wrong password", "GET", "/v2/").of(USER, "wrong"),
        ask("base of an unknown user", "GET", "/v2/").of("nobody", PASSWORD),
        ask("base with a token", "GET", "/v2/").with("authorization", "Bearer abc"),
        ask("base with garbage", "GET", "/v2/").with("authorization", "Basic !!"),
        known("base for a user", "GET", "/v2/"),
        ask("tag for nobody", "GET", "/v2/team/app/manifests/1"),
        ask("tag for nobody by HEAD", "HEAD", "/v2/team/app/manifests/1"),
        ask("tag with a wrong password", "GET", "/v2/team/app/manifests/1").of(USER, "wrong"),
        ask("blob for nobody", "GET", format!("/v2/team/app/blobs/{digest}")),
        ask("tags for nobody", "GET", "/v2/team/app/tags/list"),
        ask("catalog for nobody", "GET", "/v2/_catalog"),
        ask("upload for nobody", "POST", "/v2/team/app/blobs/uploads/"),
        ask(
            "mount for nobody",
            "POST",
            format!("/v2/team/app/blobs/uploads/?mount={digest}&from=team/other"),
        ),
        ask("push for nobody", "PUT", "/v2/team/app/manifests/1")
            .with("content-type", DOCKER)
            .body(&image.manifest),
        ask("delete for nobody", "DELETE", format!("/v2/team/app/manifests/{}", image.digest)),
        ask("unknown repository for nobody", "GET", "/v2/no/where/manifests/1"),
        ask("malformed name for nobody", "GET", "/v2/No/where/manifests/1"),
        known("unknown tag for a user", "GET", "/v2/team/app/manifests/1"),
        known("unknown repository for a user", "GET", "/v2/no/where/manifests/1"),
        known("upload by a user begins", "POST", "/v2/team/app/blobs/uploads/"),
        known("upload by a user ends", "PUT", &format!("{{upload}}?digest={digest}")).body(&image.blobs[0].1),
        known("blob for a user", "GET", &format!("/v2/team/app/blobs/{digest}")),
    ]
}
