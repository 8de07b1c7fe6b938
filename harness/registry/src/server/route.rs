//! What a path asks for.

use crate::{
    digest::{is_digest, looks_like_digest, may_be_digest},
    failure::Kind,
    name::{is_repository, is_tag},
};

/// What is asked for, by the paths of the distribution specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Base,
    Catalog,
    Tags { repository: String },
    Referrers { repository: String, digest: String },
    Manifest { repository: String, reference: String },
    Blob { repository: String, digest: String },
    Uploads { repository: String },
    Upload { repository: String, id: String },
}

impl Route {
    /// Reads a path.
    pub(crate) fn read(path: &str) -> Result<Self, Kind> {
        let decoded = path.replace("%3A", ":").replace("%3a", ":");
        let rest = match decoded.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or(Kind::NoSuchPage)?,
            None => return Err(Kind::NoSuchPage),
        };
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            return Ok(Self::Tags { repository: repository_name(repository)? });
        }
        if let Some(repository) = rest.strip_suffix("/blobs/uploads").or(rest.strip_suffix("/blobs/uploads/"))
        {
            return Ok(Self::Uploads { repository: repository_name(repository)? });
        }
        let (path, last) = rest.rsplit_once('/').ok_or(Kind::NoSuchPage)?;
        let (repository, digest) = (|of: &str| path.strip_suffix(of).map(repository_name), last.to_owned());
        if let Some(repository) = repository("/blobs/uploads") {
            return Ok(Self::Upload { repository: repository?, id: digest });
        }
        if let Some(repository) = repository("/manifests") {
            let repository = repository?;
            return if is_tag(&digest) || looks_like_digest(&digest) {
                Ok(Self::Manifest { repository, reference: digest })
            } else {
                Err(Kind::NoSuchPage)
            };
        }
        if let Some(found) = repository("/blobs") {
            let repository = found?;
            return if is_digest(&digest) {
                Ok(Self::Blob { repository, digest })
            } else {
                Err(no_digest(&digest))
            };
        }
        if let Some(found) = repository("/referrers") {
            let repository = found?;
            // Whatever may be the subject of a manifest, be it here or not.
            let referred = may_be_digest(&digest);
            return if referred {
                Ok(Self::Referrers { repository, digest })
            } else {
                Err(Kind::DigestUnreadable)
            };
        }
        Err(Kind::NoSuchPage)
    }

    /// The methods that it takes, as `Allow` lists them.
    pub(crate) fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Referrers { .. } => "GET, HEAD",
            Self::Catalog | Self::Tags { .. } => "GET",
            Self::Manifest { .. } => "DELETE, GET, HEAD, PUT",
            Self::Blob { .. } => "DELETE, GET, HEAD",
            Self::Uploads { .. } => "POST",
            Self::Upload { .. } => "DELETE, GET, HEAD, PATCH, PUT",
        }
    }

    /// The repository in it.
    pub(crate) fn repository(&self) -> Option<&str> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags { repository }
            | Self::Referrers { repository, .. }
            | Self::Manifest { repository, .. }
            | Self::Blob { repository, .. }
            | Self::Uploads { repository }
            | Self::Upload { repository, .. } => Some(repository),
        }
    }

    /// The tag or digest in it.
    pub(crate) fn reference(&self) -> Option<&str> {
        match self {
            Self::Manifest { reference, .. } => Some(reference),
            Self::Blob { digest, .. } | Self::Referrers { digest, .. } => Some(digest),
            _ => None,
        }
    }
}

fn no_digest(text: &str) -> Kind {
    if looks_like_digest(text) { Kind::DigestUnreadable } else { Kind::NoSuchPage }
}

fn repository_name(text: &str) -> Result<String, Kind> {
    if is_repository(text) { Ok(text.to_owned()) } else { Err(Kind::NameInvalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_with_slashes_in_names() {
        let manifest =
            |r: &str, t: &str| Ok(Route::Manifest { repository: r.to_owned(), reference: t.to_owned() });
        assert_eq!(Route::read("/v2/"), Ok(Route::Base));
        assert_eq!(Route::read("/v2/a/b/c/manifests/1.0"), manifest("a/b/c", "1.0"));
        assert_eq!(Route::read("/v2/manifests/manifests/manifests"), manifest("manifests", "manifests"));
        assert_eq!(Route::read("/v2/a/blobs/uploads/"), Ok(Route::Uploads { repository: "a".into() }));
        assert_eq!(
            Route::read("/v2/a/blobs/uploads/7"),
            Ok(Route::Upload { repository: "a".into(), id: "7".into() })
        );
        assert_eq!(Route::read("/v2/A/manifests/1"), Err(Kind::NameInvalid));
        assert_eq!(Route::read("/v2/a/blobs/sha256:nope"), Err(Kind::DigestUnreadable));
        assert_eq!(Route::read("/v2/a/blobs/nope"), Err(Kind::NoSuchPage));
        let referrers = |d: &str| Ok(Route::Referrers { repository: "a".into(), digest: d.into() });
        assert_eq!(Route::read("/v2/a/referrers/blake3:00"), referrers("blake3:00"));
        assert_eq!(Route::read("/v2/a/referrers/nope"), Err(Kind::DigestUnreadable));
        assert_eq!(Route::read("/v2/a/referrers/sha256:00"), Err(Kind::DigestUnreadable));
        assert_eq!(Route::read("/v2/a/manifests/.x"), Err(Kind::NoSuchPage));
        for wrong in ["", "/", "/v1/", "/v2x", "/v2/a", "/v2//", "/v2/a/b/c"] {
            assert_eq!(Route::read(wrong), Err(Kind::NoSuchPage), "{wrong}");
        }
    }
}
